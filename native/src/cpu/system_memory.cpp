#include "cpu/system_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace hydra {

namespace {

// The number after a word at the beginning of a line; -1 where there is none. Of a file of one number the word is
// empty.
int64_t number_after(const std::string& file, const std::string& word) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        std::istringstream text(line);
        std::string first;
        int64_t number = 0;
        if (!word.empty() && (!(text >> first) || first != word)) continue;
        if (text >> number) return number;
    }
    return -1;
}

// The names of one version's files in the folder of a group.
struct GroupFiles {
    const char *limit, *usage, *reclaimable;
};
constexpr GroupFiles VERSION_1{"/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file"};
constexpr GroupFiles VERSION_2{"/memory.max", "/memory.current", "inactive_file"};

// Lowers `memory` to what a group and those above it leave. path: of the group below the folder of all.
void limit_by_groups(SystemMemory& memory, const std::string& all, std::string path, const GroupFiles& files) {
    for (;;) {
        const std::string folder = all + path;
        const int64_t limit = number_after(folder + files.limit, ""), usage = number_after(folder + files.usage, "");
        if (limit >= 0 && usage >= 0) {
            const int64_t reclaimable = std::max<int64_t>(number_after(folder + "/memory.stat", files.reclaimable), 0);
            memory.total = std::min(memory.total, limit);
            memory.available =
                std::min(memory.available, std::max<int64_t>(limit - usage + std::min(reclaimable, usage), 0));
        }
        if (path.empty()) return;
        path.resize(path.rfind('/'));
    }
}

}  // namespace

SystemMemory system_memory(const std::string& root) {
    const int64_t page = sysconf(_SC_PAGESIZE);
    SystemMemory memory{sysconf(_SC_AVPHYS_PAGES) * page, sysconf(_SC_PHYS_PAGES) * page};
    const std::string facts = root + "/proc/meminfo";
    const int64_t available = number_after(facts, "MemAvailable:"), total = number_after(facts, "MemTotal:");
    if (available >= 0) memory.available = available << 10;
    if (total >= 0) memory.total = total << 10;
    std::ifstream groups(root + "/proc/self/cgroup");
    // Lines of hierarchy, controllers, path: "0::/user.slice" of version 2, "4:memory:/docker/1" of version 1.
    for (std::string line; std::getline(groups, line);) {
        const size_t controllers = line.find(':'), path = line.find(':', controllers + 1);
        if (controllers == std::string::npos || path == std::string::npos) continue;
        const std::string names = line.substr(controllers, path - controllers + 1);
        std::string group = line.substr(path + 1);
        // A process that sees its own groups alone may be told of others above these.
        if (group.size() < 2 || group[0] != '/' || group.compare(0, 3, "/..") == 0) group.clear();
        if (names == "::") limit_by_groups(memory, root + "/sys/fs/cgroup", group, VERSION_2);
        if ((":," + names.substr(1)).find("memory") != std::string::npos) {
            limit_by_groups(memory, root + "/sys/fs/cgroup/memory", group, VERSION_1);
        }
    }
    return memory;
}

}  // namespace hydra
