// The activations that can end any fused operation; the names are those of engine.program.graph.

#pragma once

namespace gk {

enum class Activation : int { kNone, kRelu, kLeakyRelu, kTanh, kSigmoid };

}  // namespace gk
