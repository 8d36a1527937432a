// The C interface over Network: nothing is thrown across it.

#include <exception>
#include <new>
#include <string>

#include "../include/generator_kernels.h"
#include "network.h"
#include "processor.h"

struct gk_network {
  explicit gk_network(const gk_options& options) : network(options) {}
  gk::Network network;
};

namespace {

thread_local std::string last_error;

// What `call` gives, or `failed` with the message kept.
template <class T, class Call>
T guarded(T failed, Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
  } catch (const std::exception& error) {
    last_error = error.what();
  } catch (...) {
    last_error = "failed without a reason";
  }
  return failed;
}

}  // namespace

extern "C" {

int32_t gk_interface_version(void) { return GK_INTERFACE_VERSION; }

const char* gk_instruction_sets(void) { return gk::instruction_sets().c_str(); }

const char* gk_error(void) { return last_error.c_str(); }

gk_network* gk_new(const gk_options* options) {
  return guarded<gk_network*>(nullptr, [&] { return new gk_network(*options); });
}

void gk_free(gk_network* network) { delete network; }

int32_t gk_add(gk_network* network, const gk_operation* operation) {
  return guarded<int32_t>(-1, [&] { return network->network.add(*operation); });
}

int32_t gk_schedule(gk_network* network, const gk_item* items, int32_t count) {
  return guarded<int32_t>(-1, [&] {
    network->network.schedule(items, count);
    return 0;
  });
}

int32_t gk_granularity(const gk_network* network, int32_t operation) {
  return guarded<int32_t>(-1, [&] { return network->network.granularity(operation); });
}

int32_t gk_run(gk_network* network, int64_t images, const void* const* inputs,
               void* const* outputs, uint8_t* finite) {
  return guarded<int32_t>(-1, [&] {
    network->network.run(images, inputs, outputs, finite);
    return 0;
  });
}

int64_t gk_weight_bytes(const gk_network* network) { return network->network.weight_bytes(); }

int64_t gk_workspace_bytes(const gk_network* network) {
  return network->network.workspace_bytes();
}

}  // extern "C"
