#include "processor.h"

#include <cstdint>

#include <stdexcept>
#include <vector>

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace gk {
namespace {

#define GK_KERNELS(set, rows) \
  {#set,            moves_##set,  maps_##set,  reductions_##set,                 \
   recurrent_##set, random_##set, lanes_##set, positions_##set, rows}

const Kernels kPortable = GK_KERNELS(portable, nullptr);
#if defined(__x86_64__)
const Kernels kAvx2 = GK_KERNELS(avx2, nullptr);
const Kernels kAvx512 = GK_KERNELS(avx512, nullptr);
const Kernels kAvx512Bf16 = GK_KERNELS(avx512_bf16, &rows_avx512_bf16);
const Kernels kAmx = GK_KERNELS(amx, &rows_amx);
#endif

#if defined(__x86_64__)
// AMX tiles are 8 KiB of state that Linux gives a process on demand (Documentation/arch/x86/xstate).
bool tiles_allowed() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

std::vector<const Kernels*> find_kernels() {
  std::vector<const Kernels*> found{&kPortable};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return found;
  found.push_back(&kAvx2);
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq")) {
    return found;
  }
  found.push_back(&kAvx512);
  if (!__builtin_cpu_supports("avx512bf16")) return found;
  found.push_back(&kAvx512Bf16);
  if (__builtin_cpu_supports("amx-bf16") && tiles_allowed()) found.push_back(&kAmx);
#endif
  return found;
}

const std::vector<const Kernels*>& all_kernels() {
  static const std::vector<const Kernels*> found = find_kernels();
  return found;
}

#if defined(__x86_64__)
// The operand of LDTILECFG (Intel SDM): 8 tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
#endif

}  // namespace

const std::string& instruction_sets() {
  static const std::string names = [] {
    std::string joined;
    for (const Kernels* kernels : all_kernels()) {
      joined += (joined.empty() ? "" : " ") + std::string(kernels->name);
    }
    return joined;
  }();
  return names;
}

const Kernels& choose_kernels(const char* most) {
  if (!most) return *all_kernels().back();
  for (const Kernels* kernels : all_kernels()) {
    if (kernels->name == std::string(most)) return *kernels;
  }
  throw std::invalid_argument("instruction set " + std::string(most) +
                              " does not run here; these do: " + instruction_sets());
}

Prepared::Prepared(const Kernels& kernels) : tiles_(false) {
#if defined(__x86_64__)
  if (&kernels == &kAmx) {
    static const TileConfiguration configuration;
    asm volatile("ldtilecfg %0" ::"m"(configuration));
    tiles_ = true;
  }
#else
  (void)kernels;
#endif
}

Prepared::~Prepared() {
#if defined(__x86_64__)
  if (tiles_) asm volatile("tilerelease");
#endif
}

}  // namespace gk
