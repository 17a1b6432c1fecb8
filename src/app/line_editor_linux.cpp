// libedit, signals and the history file.
#include <fcntl.h>
#include <fmt/format.h>
#include <histedit.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "app/line_editor.h"

namespace icecore::app {

namespace {

constexpr int historySize = 2000;

/// Empty when there is no place for it.
std::filesystem::path historyPath() {
    std::filesystem::path base;
    if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
        base = state;
    } else if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
        base = std::filesystem::path(home) / ".local/state";
    } else {
        return {};
    }
    const std::filesystem::path directory = base / "icecore";
    std::error_code error;
    std::filesystem::create_directories(base, error);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return {};
    return directory / "history";
}

/// The history may hold addresses and names of a private dump: nobody else reads it.
bool createPrivately(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) return false;
    const bool good = ::fchmod(descriptor, 0600) == 0;
    ::close(descriptor);
    return good;
}

std::string commonPrefix(const std::vector<std::string>& words) {
    std::string prefix = words.front();
    for (const std::string& word : words) {
        const auto end = std::ranges::mismatch(prefix, word);
        prefix.erase(end.in1, prefix.end());
    }
    return prefix;
}

class EditLineEditor final : public LineEditor {
public:
    explicit EditLineEditor(Complete complete)
        : complete_(std::move(complete)),
          history_(::history_init()),
          editor_(::el_init("icecore", stdin, stdout, stderr)) {
        if (editor_ == nullptr || history_ == nullptr) return;
        HistEvent event;
        ::history(history_, &event, H_SETSIZE, historySize);
        ::history(history_, &event, H_SETUNIQUE, 1);
        path_ = historyPath();
        if (!path_.empty() && createPrivately(path_))
            ::history(history_, &event, H_LOAD, path_.c_str());
        else
            path_.clear();
        ::el_set(editor_, EL_CLIENTDATA, this);
        ::el_set(editor_, EL_EDITOR, "emacs");
        ::el_set(editor_, EL_PROMPT, &EditLineEditor::promptText);
        ::el_set(editor_, EL_HIST, ::history, history_);
        ::el_set(editor_, EL_SIGNAL, 0);
        // While a line is edited ^C is a key: it drops the line. While a command runs the terminal
        // is in its usual mode, and ^C is a signal.
        ::el_set(editor_, EL_SETTY, "-d", "-isig", nullptr);
        // Wide, because the narrow call leaks the copies it makes (libedit's eln.c says so itself).
        ::el_wset(editor_, EL_ADDFN, L"icecore-complete", L"complete the word", &completeWord);
        ::el_wset(editor_, EL_ADDFN, L"icecore-drop", L"drop the line", &dropLine);
        ::el_set(editor_, EL_BIND, "^I", "icecore-complete", nullptr);
        ::el_set(editor_, EL_BIND, "^C", "icecore-drop", nullptr);
        ::el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
        ::el_source(editor_, nullptr);  // ~/.editrc
    }
    ~EditLineEditor() override {
        HistEvent event;
        if (history_ != nullptr && !path_.empty())
            ::history(history_, &event, H_SAVE, path_.c_str());
        if (editor_ != nullptr) ::el_end(editor_);
        if (history_ != nullptr) ::history_end(history_);
    }

    [[nodiscard]] bool usable() const { return editor_ != nullptr && history_ != nullptr; }

    std::optional<std::string> read(const std::string& prompt) override {
        prompt_ = prompt;
        int count = 0;
        const char* line = nullptr;
        do {  // a line that was dropped is none
            dropped_ = false;
            // Before the prompt is shown, not after it as el_gets does by itself: else ^C in answer
            // to the prompt may still be a signal, and the line stays.
            ::el_set(editor_, EL_PREP_TERM, 1);
            line = ::el_gets(editor_, &count);
        } while (dropped_);
        if (line == nullptr || count <= 0) return std::nullopt;
        std::string text(line, static_cast<std::size_t>(count));
        while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
            text.pop_back();
        if (text.find_first_not_of(' ') != std::string::npos) {
            HistEvent event;
            ::history(history_, &event, H_ENTER, text.c_str());
        }
        return text;
    }

private:
    static EditLineEditor& self(EditLine* editor) {
        void* data = nullptr;
        ::el_get(editor, EL_CLIENTDATA, &data);
        return *static_cast<EditLineEditor*>(data);
    }

    static char* promptText(EditLine* editor) { return self(editor).prompt_.data(); }

    static unsigned char dropLine(EditLine* editor, int) {
        EditLineEditor& me = self(editor);
        const LineInfo* line = ::el_line(editor);
        ::el_cursor(editor, static_cast<int>(line->lastchar - line->cursor));
        ::el_deletestr(editor, static_cast<int>(line->lastchar - line->buffer));
        std::fputs("^C\n", stdout);
        std::fflush(stdout);
        me.dropped_ = true;
        return CC_NEWLINE;
    }

    static unsigned char completeWord(EditLine* editor, int) {
        EditLineEditor& me = self(editor);
        const LineInfo* info = ::el_line(editor);
        const std::string_view line(info->buffer,
                                    static_cast<std::size_t>(info->cursor - info->buffer));
        const Completion completion = me.complete_(line);
        if (completion.candidates.empty()) return CC_REFRESH_BEEP;
        const std::string prefix = commonPrefix(completion.candidates);
        if (prefix.size() > completion.wordLength || completion.candidates.size() == 1) {
            if (completion.wordLength > 0)
                ::el_deletestr(editor, static_cast<int>(completion.wordLength));
            if (::el_insertstr(editor, prefix.c_str()) != 0) return CC_REFRESH_BEEP;
            return CC_REFRESH;
        }
        showCandidates(completion.candidates);
        return CC_REDISPLAY;
    }

    static void showCandidates(const std::vector<std::string>& candidates) {
        constexpr std::size_t most = 200;
        constexpr std::size_t screen = 80;
        std::size_t width = 1;
        for (const std::string& word : candidates)
            width = std::max(width, word.size() + 2);
        const std::size_t columns = std::max<std::size_t>(1, screen / width);
        std::string text = "\n";
        for (std::size_t i = 0; i < std::min(candidates.size(), most); ++i) {
            text += fmt::format("{:<{}}", candidates[i], width);
            if (i % columns == columns - 1) text += '\n';
        }
        if (text.back() != '\n') text += '\n';
        if (candidates.size() > most)
            text += fmt::format("(and {} more)\n", candidates.size() - most);
        std::fputs(text.c_str(), stdout);
        std::fflush(stdout);
    }

    Complete complete_;
    History* history_;
    EditLine* editor_;
    std::filesystem::path path_;
    std::string prompt_;
    bool dropped_ = false;
};

void (*interruptFunction)() = nullptr;

}  // namespace

struct InterruptGuard::Previous {
    struct sigaction action{};
};

InterruptGuard::InterruptGuard(void (*interrupt)()) : previous_(std::make_unique<Previous>()) {
    interruptFunction = interrupt;
    struct sigaction action{};
    action.sa_handler = [](int) { interruptFunction(); };
    ::sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGINT, &action, &previous_->action);
}

InterruptGuard::~InterruptGuard() {
    ::sigaction(SIGINT, &previous_->action, nullptr);
}

bool isInteractive() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

std::unique_ptr<LineEditor> createLineEditor(LineEditor::Complete complete) {
    auto editor = std::make_unique<EditLineEditor>(std::move(complete));
    if (!editor->usable()) return nullptr;
    return editor;
}

}  // namespace icecore::app
