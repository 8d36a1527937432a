// Names of the instruction sets, and of the table that a source compiled for one of them fills.

#pragma once

// GK_TABLE(lanes) is lanes_avx2 where GK_SET is avx2.
#define GK_JOIN(family, set) family##_##set
#define GK_EXPAND(family, set) GK_JOIN(family, set)
#define GK_TABLE(family) GK_EXPAND(family, GK_SET)

// Declares a family's table for every instruction set.
#if defined(__x86_64__)
#define GK_DECLARE(Table, family)                                            \
  extern const Table family##_portable, family##_avx2, family##_avx512,      \
      family##_avx512_bf16, family##_amx
#else
#define GK_DECLARE(Table, family) extern const Table family##_portable
#endif
