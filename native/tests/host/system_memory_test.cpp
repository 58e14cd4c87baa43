#include "cpu/system_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace hydra::test {
namespace {

constexpr int64_t GIB = int64_t{1} << 30;

// A folder of the system's files, as far as a test says.
struct System {
    std::filesystem::path root = std::filesystem::temp_directory_path() / "hydra4j_system_memory";

    System() {
        std::filesystem::remove_all(root);
        write("proc/meminfo",
              "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:    8388608 kB\n");
    }
    ~System() { std::filesystem::remove_all(root); }

    void write(const std::string& file, const std::string& text) const {
        std::filesystem::create_directories((root / file).parent_path());
        std::ofstream(root / file) << text;
    }
    SystemMemory read() const { return system_memory(root.string()); }
};

TEST(SystemMemory, IsWhatCanBeHadAndNotWhatLiesIdle) {
    const System system;
    EXPECT_EQ(system.read().available, 8 * GIB);
    EXPECT_EQ(system.read().total, 16 * GIB);
}

TEST(SystemMemory, IsNoMoreThanAnyControlGroupLeaves) {
    const System system;
    system.write("proc/self/cgroup", "0::/outer/inner\n");
    system.write("sys/fs/cgroup/outer/memory.max", std::to_string(4 * GIB));
    system.write("sys/fs/cgroup/outer/memory.current", std::to_string(3 * GIB));
    system.write("sys/fs/cgroup/outer/memory.stat", "anon 5\ninactive_file " + std::to_string(GIB / 2) + "\n");
    system.write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
    system.write("sys/fs/cgroup/outer/inner/memory.current", std::to_string(GIB));
    EXPECT_EQ(system.read().available, 3 * GIB / 2) << "with the group's cache of files, which it can drop";
    EXPECT_EQ(system.read().total, 4 * GIB);
    system.write("sys/fs/cgroup/outer/inner/memory.max", std::to_string(2 * GIB));
    EXPECT_EQ(system.read().available, GIB);
    system.write("sys/fs/cgroup/outer/inner/memory.current", std::to_string(3 * GIB));
    EXPECT_EQ(system.read().available, 0);
}

TEST(SystemMemory, KnowsTheFirstVersionOfGroupsAndContainersThatSeeTheirOwn) {
    const System system;
    system.write("proc/self/cgroup", "7:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/\n");
    system.write("sys/fs/cgroup/memory/memory.limit_in_bytes", std::to_string(6 * GIB));
    system.write("sys/fs/cgroup/memory/memory.usage_in_bytes", std::to_string(5 * GIB));
    system.write("sys/fs/cgroup/memory/memory.stat", "total_inactive_file " + std::to_string(GIB) + "\n");
    EXPECT_EQ(system.read().available, 2 * GIB);
    system.write("sys/fs/cgroup/memory.max", std::to_string(GIB));
    system.write("sys/fs/cgroup/memory.current", "0");
    EXPECT_EQ(system.read().available, GIB);
}

TEST(SystemMemory, IsTheSystemsOwnCountWhereNoFileTells) {
    const SystemMemory found = system_memory("/nowhere");
    EXPECT_GT(found.available, 0);
    EXPECT_GE(found.total, found.available);
}

}  // namespace
}  // namespace hydra::test
