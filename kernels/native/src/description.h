// The checked reading of a gk_operation. What does not fit is a std::invalid_argument.

#pragma once

#include <cstdint>
#include <string>

#include "../include/generator_kernels.h"
#include "geometry.h"
#include "isa/activation.h"

namespace gk {

struct Floats {
  const float* data;  // null if the array is absent
  int64_t size;
};

// Reads integers, numbers and arrays in turn; finish() refuses what is left over.
class Description {
 public:
  // Refuses counts below zero, and lists that are not there.
  explicit Description(const gk_operation& operation);

  const gk_value& input(int i) const;
  const gk_value& output(int i) const;
  int input_count() const { return operation_.input_count; }
  int output_count() const { return operation_.output_count; }

  int64_t integer();
  int integer(int64_t least, int64_t most);
  double number();
  // An array of exactly `size` floats.
  const float* array(int64_t size);
  // The same, or null where it is absent.
  const float* optional_array(int64_t size);
  // An array of any size.
  Floats any_array();
  // direction, rank, then input, output, kernel, stride, padding, dilation sizes [rank] each.
  Geometry geometry();
  Activation activation();
  void finish() const;

  [[noreturn]] void refuse(const std::string& why) const;
  // Refuses unless the value has this form and these sizes; kAny is any size.
  static constexpr int64_t kAny = -1;
  void expect(const gk_value& value, gk_form form, int64_t positions, int64_t channels) const;
  // Refuses other numbers of values.
  void expect_values(int inputs, int outputs) const;
  // Refuses to list more places (kMostPlanned) than an operation may.
  void check_planned(int64_t places) const;
  // Refuses to pack so few floats into so many, as only absurd sizes make.
  void check_packed(int64_t packed, int64_t floats) const;

 private:
  // Refuses sizes that positions and taps, reckoned in int, cannot hold, or that take too long to
  // list.
  void check(const Geometry& geometry) const;

  const gk_operation& operation_;
  int next_integer_ = 0;
  int next_number_ = 0;
  int next_array_ = 0;
};

}  // namespace gk
