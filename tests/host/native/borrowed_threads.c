// A C program that lends its threads to a network, and makes mistakes. Exits with 0.

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "generator_kernels.h"

enum { kThreads = 3, kImages = 192, kNumbers = 6 };

struct Call {
  gk_task task;
  void* job;
  int32_t number;
};

static void* call(void* given) {
  const struct Call* at = given;
  at->task(at->job, at->number);
  return NULL;
}

// A thread for each task; `context` counts the calls.
static void parallel(void* context, int32_t tasks, gk_task task, void* job) {
  pthread_t threads[kThreads];
  struct Call calls[kThreads];
  ++*(int*)context;
  for (int32_t i = 0; i < tasks; ++i) {
    calls[i] = (struct Call){task, job, i};
    pthread_create(&threads[i], NULL, call, &calls[i]);
  }
  for (int32_t i = 0; i < tasks; ++i) pthread_join(threads[i], NULL);
}

static int fails(const char* what) {
  printf("%s: %s\n", what, gk_error());
  return 1;
}

int main(void) {
  int calls = 0;
  const gk_options options = {16, kThreads, 0, 16 * kNumbers * 4, NULL, parallel, &calls};
  gk_network* network = gk_new(&options);
  if (!network) return fails("gk_new");

  const gk_value input = {GK_PLAIN, GK_INPUT, 0, 2, 3};
  const gk_value lanes = {GK_LANES, GK_ARENA, 0, 2, 3};
  const gk_value output = {GK_PLAIN, GK_OUTPUT, 0, 2, 3};
  const int64_t rows = 1;
  gk_operation operation = {0};
  operation.kind = "convert";
  operation.integers = &rows;
  operation.integer_count = operation.input_count = operation.output_count = 1;
  operation.inputs = &input;
  operation.outputs = &lanes;
  if (gk_add(network, &operation) != 0) return fails("the first gk_add");
  operation.inputs = &lanes;
  operation.outputs = &output;
  if (gk_add(network, &operation) != 1) return fails("the second gk_add");

  static float from[kImages][kNumbers], to[kImages][kNumbers];
  static uint8_t finite[kImages];
  for (int i = 0; i < kImages * kNumbers; ++i) from[0][i] = (float)i;
  from[100][2] = NAN;
  const void* const inputs[] = {from};
  void* const outputs[] = {to};
  if (gk_run(network, kImages, inputs, outputs, finite) != 0) return fails("gk_run");
  if (memcmp(from, to, sizeof from) != 0 || calls != 1) return fails("not what was given");
  for (int i = 0; i < kImages; ++i) {
    if (finite[i] != (i != 100)) return fails("the wrong image is not finite");
  }

  if (gk_run(network, -1, inputs, outputs, finite) != -1) return fails("images below zero");
  if (gk_run(network, 4, NULL, outputs, finite) != -1) return fails("no inputs");
  if (gk_run(network, 4, inputs, outputs, NULL) != -1) return fails("no flags");
  gk_free(network);
  gk_free(NULL);
  return 0;
}
