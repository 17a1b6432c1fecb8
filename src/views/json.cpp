#include "views/json.h"

#include <fmt/format.h>

namespace icecore {

Json issuesJson(const Issues& issues) {
    Json list = Json::array();
    for (const Issue& issue : issues.items()) {
        Json item = {{"severity", issue.severity == Severity::loss ? "loss" : "note"},
                     {"message", issue.message}};
        if (!issue.where.empty()) item["where"] = issue.where;
        list.push_back(std::move(item));
    }
    if (issues.dropped() > 0) {
        list.push_back({{"severity", issues.lossy() ? "loss" : "note"},
                        {"message", fmt::format("and {} more", issues.dropped())}});
    }
    return list;
}

}  // namespace icecore
