// One error path: failures are thrown inside the library and become a status and a kept message at the C ABI.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "hydra4j/status.h"

namespace hydra {

class Failure : public std::exception {
  public:
    Failure(hydra_status status, std::string message) : status_(status), message_(std::move(message)) {}
    const char* what() const noexcept override { return message_.c_str(); }
    hydra_status status() const noexcept { return status_; }

  private:
    hydra_status status_;
    std::string message_;
};

[[noreturn]] __attribute__((format(printf, 2, 3))) void fail(hydra_status status, const char* format, ...);

// Keeps "where: message" for the calling thread.
void keep_error(const char* where, const char* message) noexcept;

// Runs body and turns what it throws into a status.
template <class Body>
hydra_status guarded(const char* where, Body&& body) noexcept {
    try {
        body();
        return HYDRA_OK;
    } catch (const Failure& failure) {
        keep_error(where, failure.what());
        return failure.status();
    } catch (const std::bad_alloc&) {
        keep_error(where, "out of memory");
        return HYDRA_OUT_OF_MEMORY;
    } catch (const std::exception& other) {
        keep_error(where, other.what());
        return HYDRA_INTERNAL;
    } catch (...) {
        keep_error(where, "an exception of an unknown type");
        return HYDRA_INTERNAL;
    }
}

}  // namespace hydra

// Refuses an argument: HYDRA_REQUIRE(count > 0, "count is %d, must be positive", count).
#define HYDRA_REQUIRE(condition, ...)                                         \
    do {                                                                      \
        if (!(condition)) ::hydra::fail(HYDRA_INVALID_ARGUMENT, __VA_ARGS__); \
    } while (0)
