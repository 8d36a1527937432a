#include "recurrent/kernels.h"

#include "isa/activate.h"
#include "isa/finite.h"
#include "isa/product.h"
#include "isa/vector.h"

namespace gk {
namespace {

constexpr int kWidth = kMostVectors * kVector;

GK_INLINE Vector sigmoid(Vector x) { return activate(Activation::kSigmoid, 0.0f, x); }

// Floats of a row of each kind.
struct Strides {
  explicit Strides(const RecurrentLayer& layer)
      : input(up(layer.features + layer.padded)),
        gate(up((layer.lstm ? 4 : 2) * layer.padded)),
        candidate(up(layer.padded)) {}

  static int64_t up(int64_t columns) { return (columns + kWidth - 1) / kWidth * kWidth; }
  int64_t tile() const { return kMostRows * (input + gate + 3 * candidate); }

  int64_t input;
  int64_t gate;
  int64_t candidate;
};

// The memory of a tile of rows. An input row is x of the step, then h.
struct Tile {
  Tile(const RecurrentLayer& layer, float* scratch)
      : stride(layer),
        inputs(scratch),
        cells(inputs + kMostRows * stride.input),
        gates(cells + kMostRows * stride.candidate),
        of_input(gates + kMostRows * stride.gate),
        of_state(of_input + kMostRows * stride.candidate) {}

  Strides stride;
  float* inputs;
  float* cells;  // LSTM's c; GRU's r * h
  float* gates;
  float* of_input;
  float* of_state;
};

// out [rows][stride] = from [rows] @ matrix + shift.
void multiply_matrix(const RecurrentMatrix& matrix, const float* from, int64_t from_stride,
                     float* out, int64_t stride, int rows) {
  const int64_t step = 0;
  const int32_t tap = 0;
  Product product;
  product.steps = &step;
  product.taps = &tap;
  product.tap_count = 1;
  product.words = matrix.words;
  product.panel_words = static_cast<int64_t>(matrix.words) * kWidth;
  product.odd = nullptr;
  product.fetched = 0;
  for (int r = 0; r < rows; ++r) {
    product.rows[r] = reinterpret_cast<const uint32_t*>(from + r * from_stride);
  }
  for (int panel = 0; panel < matrix.panels;) {
    const int beside = panels_beside(rows, kMostVectors, matrix.panels - panel);
    product.weights =
        reinterpret_cast<const uint32_t*>(matrix.weights) + panel * product.panel_words;
    product.shift = matrix.shift + static_cast<int64_t>(panel) * kWidth;
    product.sums_to(out + static_cast<int64_t>(panel) * kWidth, stride, rows);
    multiply_any<Float32>(rows, beside, kMostVectors, product);
    panel += beside;
  }
}

// c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c').
void step_lstm(const RecurrentLayer& layer, const Tile& tile, int rows) {
  multiply_matrix(layer.gates, tile.inputs, tile.stride.input, tile.gates, tile.stride.gate, rows);
  for (int r = 0; r < rows; ++r) {
    float* h = tile.inputs + r * tile.stride.input + layer.features;
    float* c = tile.cells + r * tile.stride.candidate;
    const float* gates = tile.gates + r * tile.stride.gate;
    for (int j = 0; j < layer.padded; j += kVector) {
      const Vector in = sigmoid(load(gates + j));
      const Vector out = sigmoid(load(gates + layer.padded + j));
      const Vector forget = sigmoid(load(gates + 2 * layer.padded + j));
      const Vector candidate = tanh_of(load(gates + 3 * layer.padded + j));
      const Vector cell = forget * load(c + j) + in * candidate;
      store(c + j, cell);
      store_unaligned(h + j, out * tanh_of(cell));
    }
  }
}

// h' = (1 - z) n + z h, where n = tanh(p + r q), or tanh(p + q) with q of r h.
void step_gru(const RecurrentLayer& layer, const Tile& tile, int rows) {
  const int64_t stride = tile.stride.candidate;
  multiply_matrix(layer.gates, tile.inputs, tile.stride.input, tile.gates, tile.stride.gate, rows);
  multiply_matrix(layer.input, tile.inputs, tile.stride.input, tile.of_input, stride, rows);
  const float* state = tile.inputs + layer.features;
  if (layer.linear_before_reset) {
    multiply_matrix(layer.state, state, tile.stride.input, tile.of_state, stride, rows);
  } else {
    for (int r = 0; r < rows; ++r) {
      for (int j = 0; j < layer.padded; j += kVector) {
        const Vector reset = sigmoid(load(tile.gates + r * tile.stride.gate + layer.padded + j));
        store(tile.cells + r * stride + j,
              reset * load_unaligned(state + r * tile.stride.input + j));
      }
    }
    multiply_matrix(layer.state, tile.cells, stride, tile.of_state, stride, rows);
  }
  for (int r = 0; r < rows; ++r) {
    float* h = tile.inputs + r * tile.stride.input + layer.features;
    const float* gates = tile.gates + r * tile.stride.gate;
    for (int j = 0; j < layer.padded; j += kVector) {
      const Vector update = sigmoid(load(gates + j));
      Vector inner = load(tile.of_state + r * stride + j);
      if (layer.linear_before_reset) inner = inner * sigmoid(load(gates + layer.padded + j));
      const Vector candidate = tanh_of(load(tile.of_input + r * stride + j) + inner);
      store_unaligned(h + j, (broadcast(1.0f) - update) * candidate +
                                 update * load_unaligned(h + j));
    }
  }
}

// How far elements and images of a value are apart.
struct Place {
  int64_t element;
  int64_t image;
};

Place place_of(const RecurrentCall& call, int64_t all) {
  return {call.element, call.plain ? all : 1};
}

// Elements first .. first + elements - 1 of some images into rows, and back.
void take(const float* value, Place place, int64_t first, int elements, int image, int rows,
          float* to, int64_t stride) {
  for (int r = 0; r < rows; ++r) {
    const float* from = value + first * place.element + (image + r) * place.image;
    for (int e = 0; e < elements; ++e) to[r * stride + e] = from[e * place.element];
  }
}

void give(const RecurrentLayer& layer, const RecurrentCall& call, float* value, Place place,
          int64_t first, int image, int rows, const float* from, int64_t stride) {
  for (int r = 0; r < rows; ++r) {
    float* to = value + first * place.element + (image + r) * place.image;
    float sum = 0.0f;
    for (int e = 0; e < layer.hidden; ++e) {
      const float number = from[r * stride + e];
      to[e * place.element] = number;
      sum += number - number;
    }
    if (layer.checked && sum != 0.0f) mark_not_finite(call.finite + image + r);
  }
}

void run_rows(const RecurrentLayer& layer, const RecurrentCall& call, int image, int rows) {
  const Tile tile(layer, call.scratch);
  for (int64_t i = 0; i < tile.stride.tile(); ++i) call.scratch[i] = 0.0f;
  float* h = tile.inputs + layer.features;
  const Place state = place_of(call, layer.hidden);
  const Place sequence = place_of(call, static_cast<int64_t>(layer.time) * layer.features);
  const Place hidden = place_of(call, static_cast<int64_t>(layer.time) * layer.hidden);
  const auto begin = [&](const float* from, float* to, int64_t stride) {
    if (from) take(from, state, 0, layer.hidden, image, rows, to, stride);
  };
  begin(call.first[0], h, tile.stride.input);
  if (layer.lstm) begin(call.first[1], tile.cells, tile.stride.candidate);
  for (int step = 0; step < layer.time; ++step) {
    const int64_t at = layer.reverse ? layer.time - 1 - step : step;
    take(call.sequence, sequence, at * layer.features, layer.features, image, rows, tile.inputs,
         tile.stride.input);
    if (layer.lstm) {
      step_lstm(layer, tile, rows);
    } else {
      step_gru(layer, tile, rows);
    }
    give(layer, call, call.hidden, hidden, at * layer.hidden, image, rows, h, tile.stride.input);
  }
  if (!layer.states) return;
  give(layer, call, call.last[0], state, 0, image, rows, h, tile.stride.input);
  if (layer.lstm) {
    give(layer, call, call.last[1], state, 0, image, rows, tile.cells, tile.stride.candidate);
  }
}

void run(const RecurrentLayer& layer, const RecurrentCall& call) {
  const int images = call.end - call.begin;
  const int tiles = (images + most_rows(kMostVectors) - 1) / most_rows(kMostVectors);
  for (int t = 0; t < tiles; ++t) {
    const int first = call.begin + images * t / tiles;
    const int last = call.begin + images * (t + 1) / tiles;
    run_rows(layer, call, first, last - first);
  }
}

int64_t scratch_floats(const RecurrentLayer& layer) { return Strides(layer).tile(); }

}  // namespace

extern const RecurrentKernels GK_TABLE(recurrent) = {kVector, kWidth, scratch_floats, run};

}  // namespace gk
