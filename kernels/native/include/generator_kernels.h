// The C interface of the native kernels: networks of fused operations on a CPU, many images at once.
//
// A network is made empty, given its operations one by one, given an order of work, and run. Values
// are named by where they lie (gk_value): in the arena of a worker, which runs a micro-batch, or in
// the caller's memory. One thread makes a network; from its first run on it takes no operation and
// no other order, and may be run from any thread: runs of one network wait for each other. Its
// threads are the caller's (gk_parallel) or its own, which a forked child makes anew. Besides, a
// process has a message for each thread, and a count of its forks.
//
// Functions that return int give 0 or more, or -1 with a message in gk_error. So they do for whatever
// a description says; that pointers lead to as much memory as they should is the caller's promise.

#ifndef GENERATOR_KERNELS_H
#define GENERATOR_KERNELS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GK_INTERFACE_VERSION 5
#define GK_API __attribute__((visibility("default")))

// How the values of a micro-batch of `capacity` images lie in memory. `position` counts the axes
// before the last; channels are the last axis.
typedef enum {
  GK_LANES = 0,    // float32 [position][channel][capacity]; capacity is a multiple of 16
  GK_ROWS = 1,     // bfloat16 [position][channel / 32][capacity][32]; absent channels are zero
  GK_PLAIN = 2,    // float32 [image][position][channel]
  GK_PLAIN16 = 3,  // bfloat16 [image][position][channels up to a multiple of 32]; absent are zero
  GK_INDEX = 4,    // int64 [image][position]
  GK_IMAGES = 5,   // uint8 [image][position][channel]
  GK_PLANES = 6,   // float32 [image][channel][position], as ONNX has it
} gk_form;

// Where a value lies: in the worker's arena at byte `offset`, or in the caller's input or output
// number `offset`. A caller's value holds all images of a run, one after the other.
typedef enum { GK_ARENA = 0, GK_INPUT = 1, GK_OUTPUT = 2 } gk_space;

typedef struct {
  int32_t form;   // gk_form
  int32_t space;  // gk_space
  int64_t offset;
  int64_t positions;
  int64_t channels;
} gk_value;

// One operation. `kind` says which; its file says what integers, numbers and arrays it takes. All
// pointers are read during gk_add only.
typedef struct {
  const char* kind;
  const char* name;  // of the source node, for messages
  const gk_value* inputs;
  const gk_value* outputs;
  const int64_t* integers;
  const double* numbers;
  const float* const* arrays;  // an absent one is null
  const int64_t* array_sizes;  // floats of each
  int32_t input_count;
  int32_t output_count;
  int32_t integer_count;
  int32_t number_count;
  int32_t array_count;
} gk_operation;

// Rows `begin` .. `end` - 1 of the outermost axis of operation `operation`'s output.
typedef struct {
  int32_t operation;
  int32_t begin;
  int32_t end;
} gk_item;

// The caller's threads. Calls task(job, i) once for each i in 0 .. tasks - 1, on any threads, as many
// at a time as it likes, and returns when all these calls have. A task is a worker: it takes
// micro-batches, or parts of operations, until none is left, so that tasks that begin late, or one
// after the other, are fine. gk_run holds the network meanwhile: a thread that tasks need must not
// wait in gk_run of the same network.
typedef void (*gk_task)(void* job, int32_t task);
typedef void (*gk_parallel)(void* context, int32_t tasks, gk_task task, void* job);

typedef struct {
  int32_t capacity;  // images of a micro-batch
  int32_t threads;   // workers, each with memory of its own
  int32_t team;      // 0: each worker owns whole micro-batches; 1: all share each operation
  int64_t arena_bytes;
  const char* instruction_set;  // this one ("avx2"); null is the best of the processor
  gk_parallel parallel;         // null: the network has threads of its own
  void* context;                // of `parallel`
} gk_options;

typedef struct gk_network gk_network;

// Interface version of the library, to be compared with GK_INTERFACE_VERSION.
GK_API int32_t gk_interface_version(void);

// Instruction sets that this library has and this processor runs, best last, separated by blanks.
GK_API const char* gk_instruction_sets(void);

// Message of the last failure on this thread; it may be cut off at a thousand letters.
GK_API const char* gk_error(void);

// A network without operations, or null.
GK_API gk_network* gk_new(const gk_options* options);
GK_API void gk_free(gk_network* network);

// Adds an operation and packs its weights; gives its number.
GK_API int32_t gk_add(gk_network* network, const gk_operation* operation);

// The rows of an operation that go together: bands begin at multiples of this number, and end at one
// or at the last row. 1 unless the operation's file says otherwise.
GK_API int32_t gk_granularity(const gk_network* network, int32_t operation);

// The order of work. Without it, operations run whole, in the order in which they were added.
GK_API int32_t gk_schedule(gk_network* network, const gk_item* items, int32_t count);

// Runs `images` images. inputs[i] and outputs[i] are the caller's arrays; finite[image] becomes 0
// where a stored value is NaN or infinite, else 1.
GK_API int32_t gk_run(gk_network* network, int64_t images, const void* const* inputs,
                      void* const* outputs, uint8_t* finite);

// What Philox4x32-10 words become: uint32 as they are; float32 in [0, 1); float32 normals; float32
// normals within -truncation .. truncation.
typedef enum {
  GK_WORDS = 0,
  GK_UNIFORMS = 1,
  GK_NORMALS = 2,
  GK_TRUNCATED_NORMALS = 3,
} gk_random_kind;

// Fills numbers [samples][size], 4 bytes each, of samples start .. start + samples - 1 of a seed:
// the same bits for every instruction set. instruction_set: as in gk_options.
GK_API int32_t gk_random(int32_t kind, uint64_t seed, uint64_t start, int64_t samples, int64_t size,
                         uint32_t stream, double truncation, const char* instruction_set,
                         void* numbers);

// Bytes of packed weights, and of the arena and scratch memory of all workers; -1 without a network.
GK_API int64_t gk_weight_bytes(const gk_network* network);
GK_API int64_t gk_workspace_bytes(const gk_network* network);

#ifdef __cplusplus
}
#endif

#endif
