// Ids of rows of a table, as gather and scatter_add take them.
#pragma once

#include "program/error.h"

namespace hydra::train {

// Throws unless each of ids [rows], on the host, is from -1 to table_rows - 1.
inline void check_table_ids(int64_t rows, const int32_t* ids, int64_t table_rows) {
    for (int64_t r = 0; r < rows; ++r) {
        HYDRA_REQUIRE(ids[r] >= -1 && ids[r] < table_rows, "ids[%lld] is %d, must be from -1 to %lld",
                      static_cast<long long>(r), ids[r], static_cast<long long>(table_rows - 1));
    }
}

}  // namespace hydra::train
