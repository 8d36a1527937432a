/* A CUDA driver that launches nothing: it says what it was asked on stdout, one line a call. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int status;
static const char *plan; /* sizes of the parameters, one digit group each: "8,8,4" */

status cuInit(unsigned flags) { return 0; }
status cuDriverGetVersion(int *version) { *version = 13000; return 0; }
status cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
status cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)0x10; return 0; }
status cuCtxSetCurrent(void *context) { return 0; }
status cuDeviceGetAttribute(int *value, int attribute, int device) {
    int architecture = atoi(getenv("STUB_ARCHITECTURE"));
    *value = attribute == 75 ? architecture / 10 : attribute == 76 ? architecture % 10 : 166912;
    return 0;
}
status cuModuleLoadData(void **module, const void *image) {
    *module = (void *)0x20;
    printf("load %d\n", memcmp(image, "\177ELF", 4) == 0);
    return getenv("STUB_REFUSES") ? 200 : 0;
}
status cuModuleGetFunction(void **function, void *module, const char *name) {
    *function = (void *)0x30;
    printf("function %s\n", name);
    return 0;
}
status cuModuleUnload(void *module) { printf("unload\n"); return 0; }
status cuFuncSetAttribute(void *function, int attribute, int value) {
    printf("attribute %d %d\n", attribute, value);
    return 0;
}
status cuMemAlloc_v2(uint64_t *address, size_t size) {
    *address = 0x4000;
    printf("allocate %zu\n", size);
    return 0;
}
status cuMemFree_v2(uint64_t address) { printf("free %lx\n", (unsigned long)address); return 0; }
status cuGetErrorString(status error, const char **text) { *text = "stub"; return 0; }
status cuGetErrorName(status error, const char **text) { *text = "STUB"; return 0; }
status cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                      unsigned by, unsigned bz, unsigned shared, void *stream, void **parameters,
                      void **extra) {
    printf("launch %u %u %u, %u %u %u, %u bytes, stream %lx:", gx, gy, gz, bx, by, bz, shared,
           (unsigned long)stream);
    int index = 0;
    for (const char *at = getenv("STUB_PARAMETERS"); *at; index++) {
        size_t size = strtoul(at, (char **)&at, 10);
        if (*at == ',') at++;
        uint64_t word = 0;
        memcpy(&word, parameters[index], size > 8 ? 8 : size);
        if (size > 8) printf(" map%d", (int)((uintptr_t)parameters[index] % 64));
        printf(" %lx", (unsigned long)word);
    }
    printf("\n");
    fflush(stdout);
    return 0;
}
status cuTensorMapEncodeTiled(void *map, int type, uint32_t rank, void *address,
                              const uint64_t *sizes, const uint64_t *strides, const uint32_t *box,
                              const uint32_t *steps, int interleave, int swizzle, int promotion,
                              int fill) {
    memset(map, 0xab, 128);
    printf("map type %d rank %u sizes %lu %lu stride %lu box %u %u swizzle %d\n", type, rank,
           (unsigned long)sizes[0], (unsigned long)sizes[1], (unsigned long)strides[0], box[0],
           box[1], swizzle);
    return 0;
}
status cuGetProcAddress_v2(const char *symbol, void **function, int version, uint64_t flags,
                           int *found) {
    char versioned[128];
    snprintf(versioned, sizeof versioned, "%s_v2", symbol);
    *function = dlsym(RTLD_DEFAULT, versioned);
    if (!*function) *function = dlsym(RTLD_DEFAULT, symbol);
    if (found) *found = *function ? 0 : 1;
    return *function ? 0 : 500;
}
status cuGetProcAddress(const char *symbol, void **function, int version, uint64_t flags) {
    return cuGetProcAddress_v2(symbol, function, version, flags, 0);
}
