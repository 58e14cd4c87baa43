// The operations of a program as they were recorded: the argument structs of hydra4j/program.h, whose handles and
// numbers fit each other. operations.def lists them; a backend turns each into what its kernels take.
#pragma once

#include <variant>

#include "hydra4j/program.h"

namespace hydra {

#define OPERATION(name, Name, FIELDS) using Name = hydra_##name;
#include "program/operations.def"

// The time at which the program arrives here.
struct Mark {
    int32_t index;  // of the program's times
};

using Operation = std::variant<Mark
#define OPERATION(name, Name, FIELDS) , Name
#include "program/operations.def"
                               >;

// Calls visit(value, name, optional) for each field of an operation: its handles and numbers.
#define OPERATION(name, Name, FIELDS)               \
    template <class Visit>                          \
    void each_field(const Name& o, Visit&& visit) { \
        FIELDS                                      \
    }
#define FIELD(field) visit(o.field, #field, false);
#define OPTIONAL(field) visit(o.field, #field, true);
#include "program/operations.def"

template <class Visit>
void each_field(const Mark&, Visit&&) {}

// Refuses a run that would leave the memory of the state that it finds; called before anything runs. That pages cover
// the rows of operations with a pool is checked for all of them.
void check_state(const Operation& operation);

}  // namespace hydra
