// record(program, hydra_embed{...}) and so on: the functions of hydra4j/program.h by the type of their arguments.
#pragma once

#include "hydra4j/program.h"

namespace hydra::test {

#define OPERATION(name, Name, FIELDS)                                                   \
    inline hydra_status record(hydra_program* program, const hydra_##name& arguments) { \
        return hydra_program_##name(program, &arguments);                               \
    }
#include "program/operations.def"

}  // namespace hydra::test
