// The C interface over Network: nothing is thrown across it.

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include "../include/generator_kernels.h"
#include "network.h"
#include "processor.h"
#include "random/random.h"

struct gk_network {
  explicit gk_network(const gk_options& options) : network(options) {}
  gk::Network network;
};

namespace {

// No string: that there is no memory must be told without any.
thread_local char last_error[1024];

void keep(const char* message) {
  const size_t length = std::min(std::strlen(message), sizeof last_error - 1);
  std::memcpy(last_error, message, length);
  last_error[length] = 0;
}

// What `call` gives, or `failed` with the message kept.
template <class T, class Call>
T guarded(T failed, Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    keep("out of memory");
  } catch (const std::exception& error) {
    keep(error.what());
  } catch (...) {
    keep("failed without a reason");
  }
  return failed;
}

// What a pointer of the caller leads to.
template <class T>
T& at(T* pointer, const char* what) {
  if (!pointer) throw std::invalid_argument(std::string(what) + " is a null pointer");
  return *pointer;
}

gk::Network& of(gk_network* given) { return at(given, "the network").network; }
const gk::Network& of(const gk_network* given) { return at(given, "the network").network; }

}  // namespace

extern "C" {

int32_t gk_interface_version(void) { return GK_INTERFACE_VERSION; }

const char* gk_instruction_sets(void) {
  return guarded<const char*>("", [] { return gk::instruction_sets().c_str(); });
}

const char* gk_error(void) { return last_error; }

gk_network* gk_new(const gk_options* options) {
  return guarded<gk_network*>(nullptr, [&] { return new gk_network(at(options, "options")); });
}

void gk_free(gk_network* network) { delete network; }

int32_t gk_add(gk_network* network, const gk_operation* operation) {
  return guarded<int32_t>(-1, [&] { return of(network).add(at(operation, "operation")); });
}

int32_t gk_schedule(gk_network* network, const gk_item* items, int32_t count) {
  return guarded<int32_t>(-1, [&] {
    of(network).schedule(items, count);
    return 0;
  });
}

int32_t gk_granularity(const gk_network* network, int32_t operation) {
  return guarded<int32_t>(-1, [&] { return of(network).granularity(operation); });
}

int32_t gk_run(gk_network* network, int64_t images, const void* const* inputs,
               void* const* outputs, uint8_t* finite) {
  return guarded<int32_t>(-1, [&] {
    of(network).run(images, inputs, outputs, finite);
    return 0;
  });
}

int32_t gk_random(int32_t kind, uint64_t seed, uint64_t start, int64_t samples, int64_t size,
                  uint32_t stream, double truncation, const char* instruction_set, void* numbers) {
  return guarded<int32_t>(-1, [&] {
    gk::fill_random(kind, {seed, start, samples, size, stream, 0.0, 0.0f, numbers}, truncation,
                    instruction_set);
    return 0;
  });
}

int64_t gk_weight_bytes(const gk_network* network) {
  return guarded<int64_t>(-1, [&] { return of(network).weight_bytes(); });
}

int64_t gk_workspace_bytes(const gk_network* network) {
  return guarded<int64_t>(-1, [&] { return of(network).workspace_bytes(); });
}

}  // extern "C"
