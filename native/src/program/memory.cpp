#include "program/memory.h"

#include "program/error.h"

void hydra::Mirror::change() {
    HYDRA_REQUIRE(enqueued == 0, "a program that uses this state is enqueued: await it first");
    changed = true;
}
