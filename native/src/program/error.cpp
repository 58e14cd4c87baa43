#include "program/error.h"

namespace hydra {

namespace {
thread_local char last_error[2048] = "";
}

void fail(hydra_status status, const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    throw Failure(status, text);
}

void keep_error(const char* where, const char* message) noexcept {
    snprintf(last_error, sizeof last_error, "%s failed\n%s", where, message);
}

}  // namespace hydra

int32_t hydra_abi_version(void) { return HYDRA_ABI_VERSION; }

const char* hydra_error_message(void) { return hydra::last_error; }
