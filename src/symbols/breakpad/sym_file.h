// Breakpad's symbol files (.sym): text, a record in every line.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bytes/source.h"
#include "symbols/module_reader.h"
#include "symbols/stack_rules.h"

namespace icecore {

/// Opened in one pass over the mapped text that remembers where records are; a function's lines and
/// inlined calls are read when somebody asks. Immutable once opened, so that threads share it.
/// Addresses are relative to the module's base. Source: Breakpad's docs/symbol_files.md.
class SymFile {
public:
    static Result<std::shared_ptr<const SymFile>> open(std::shared_ptr<const Source> source);
    /// Whether the first bytes are those of such a file.
    static bool looksLike(const Source& source);

    [[nodiscard]] const std::string& name() const { return source_->name(); }
    /// "windows", "Linux"…; "x86_64"…; GUID and age; "app.pdb".
    [[nodiscard]] std::string_view os() const { return os_; }
    [[nodiscard]] std::string_view arch() const { return arch_; }
    [[nodiscard]] std::string_view id() const { return id_; }
    [[nodiscard]] std::string_view debugFile() const { return debugFile_; }

    [[nodiscard]] ModuleReader::Located locate(std::uint64_t address, bool isReturnAddress) const;
    [[nodiscard]] std::optional<ModuleReader::Named> nearest(std::uint64_t address) const;
    void find(std::string_view pattern, std::size_t limit,
              std::vector<ModuleReader::Named>& out) const;
    [[nodiscard]] std::optional<ModuleReader::Named> byName(std::string_view name) const;
    [[nodiscard]] std::optional<RegisterPrograms> cfiAt(std::uint64_t address) const;
    [[nodiscard]] std::optional<FrameLayout> stackWinAt(std::uint64_t address) const;
    /// Lines that could not be understood.
    [[nodiscard]] std::uint64_t damagedLines() const { return damaged_; }

private:
    struct Function {
        std::uint64_t address = 0, size = 0;
        std::size_t body = 0;  ///< where the records behind its own begin
        std::string_view name;
        bool isPublic = false;
    };
    struct Stack {
        std::uint64_t address = 0, size = 0;
        std::size_t line = 0;  ///< where the record begins
    };

    void readLine(std::string_view line, std::size_t at);
    void readNumbered(std::string_view rest, std::vector<std::string_view>& table);
    [[nodiscard]] const Function* functionAt(std::uint64_t address) const;
    [[nodiscard]] std::string_view lineAt(std::size_t at) const;
    [[nodiscard]] std::string fileName(std::uint64_t number) const;
    static std::string readable(std::string_view name);

    std::shared_ptr<const Source> source_;
    std::string_view text_;
    std::string_view os_, arch_, id_, debugFile_;
    std::vector<std::string_view> files_, origins_;
    std::vector<Function> functions_;  ///< by address
    std::vector<Stack> cfi_, win_;     ///< by address
    std::uint64_t damaged_ = 0;
};

/// The reader of a module whose only symbols are such a file.
class BreakpadSymbols final : public ModuleReader {
public:
    BreakpadSymbols(std::shared_ptr<const SymFile> file, std::uint64_t base);
    [[nodiscard]] const ModuleSymbols& info() const override { return info_; }
    [[nodiscard]] std::uint64_t bias() const override { return base_; }
    [[nodiscard]] Located locate(std::uint64_t address, bool isReturnAddress) const override {
        return file_->locate(address, isReturnAddress);
    }
    [[nodiscard]] std::optional<Named> nearest(std::uint64_t address) const override {
        return file_->nearest(address);
    }
    void find(std::string_view pattern, std::size_t limit, std::vector<Named>& out) const override {
        file_->find(pattern, limit, out);
    }
    [[nodiscard]] std::optional<Named> byName(std::string_view name) const override {
        return file_->byName(name);
    }
    [[nodiscard]] std::optional<FrameLayout> frameLayout(std::uint64_t address) const override {
        return file_->stackWinAt(address);
    }
    [[nodiscard]] std::optional<RegisterPrograms> registerPrograms(
        std::uint64_t address) const override {
        return file_->cfiAt(address);
    }

private:
    std::shared_ptr<const SymFile> file_;
    std::uint64_t base_;
    ModuleSymbols info_;
};

}  // namespace icecore
