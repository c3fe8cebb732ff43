#include "models/cuda/device_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

#include "models/kernels/cuda/dispatch.h"

namespace bertha::cuda {
namespace {

using models::CudaOutcome;
using models::EncoderWeights;
using models::LayerWeights;
using models::LinearWeights;
using models::MatrixView;
using models::NormWeights;
using Code = CudaOutcome::Code;

/// A head's last step with more outputs is a matrix product.
constexpr size_t kFewOutputs = 64;

CudaOutcome Invalid(const std::string& message) { return {Code::kInvalid, message}; }

/// Notes the first thing that is wrong.
class Expectations {
 public:
  void Matrix(const std::string& name, const MatrixView& matrix, size_t rows, size_t columns) {
    if (matrix.data && matrix.rows == rows && matrix.columns == columns) return;
    Note(name + " is [" + std::to_string(matrix.rows) + ", " + std::to_string(matrix.columns) + "], expected [" +
         std::to_string(rows) + ", " + std::to_string(columns) + "]");
  }
  void Vector(const std::string& name, std::span<const float> vector, size_t size, bool optional = false) {
    if (vector.size() == size || (optional && vector.empty())) return;
    Note(name + " has " + std::to_string(vector.size()) + " numbers, expected " + std::to_string(size));
  }
  void Linear(const std::string& name, const LinearWeights& linear, size_t outputs, size_t inputs) {
    Matrix(name, linear.weight, outputs, inputs);
    Vector(name + "'s bias", linear.bias, outputs, true);
  }
  void Norm(const std::string& name, const NormWeights& norm, size_t size) {
    Vector(name + "'s gain", norm.gain, size, norm.bias.empty());
    Vector(name + "'s bias", norm.bias, size, norm.gain.empty());
  }
  void True(bool condition, const std::string& otherwise) {
    if (!condition) Note(otherwise);
  }
  const CudaOutcome& outcome() const { return outcome_; }

 private:
  void Note(const std::string& message) {
    if (outcome_.ok()) outcome_ = Invalid(message);
  }
  CudaOutcome outcome_;
};

void ExpectEmbedding(const EncoderWeights& weights, Expectations& expect) {
  const models::EmbeddingWeights& embedding = weights.embedding;
  const size_t width = embedding.words.columns;
  expect.True(embedding.words.data && embedding.words.rows > 0 && width > 0, "there are no word embeddings");
  expect.Norm("the embeddings' norm", embedding.norm, width);
  if (!embedding.types.empty()) expect.Matrix("the type embeddings", embedding.types, embedding.types.rows, width);
  if (embedding.projection.weight.empty()) {
    expect.True(width == weights.hidden, "the embeddings' width is not the hidden size, and there is no projection");
  } else {
    expect.Linear("the embeddings' projection", embedding.projection, weights.hidden, width);
  }
  if (embedding.positions.empty()) return;
  expect.Matrix("the position embeddings", embedding.positions, embedding.positions.rows, width);
  expect.True(embedding.first_position + weights.max_length <= embedding.positions.rows,
              "there are fewer positions than the longest sequence needs");
  expect.True(embedding.skipped_id < 0 || embedding.first_position > 0, "a skipped token has no position");
}

void ExpectLayer(const EncoderWeights& weights, const LayerWeights& layer, const std::string& name,
                 Expectations& expect) {
  const size_t hidden = weights.hidden, width = weights.heads * weights.head_size;
  expect.Linear(name + "query", layer.query, width, hidden);
  expect.Linear(name + "key", layer.key, width, hidden);
  expect.Linear(name + "value", layer.value, width, hidden);
  expect.Linear(name + "output", layer.output, hidden, width);
  expect.Linear(name + "up", layer.up, weights.intermediate, hidden);
  expect.Linear(name + "down", layer.down, hidden, weights.intermediate);
  expect.Norm(name + "attention norm", layer.attention_norm, hidden);
  expect.Norm(name + "output norm", layer.output_norm, hidden);
  if (!layer.relative) return;
  const models::RelativeAttentionWeights& relative = *layer.relative;
  expect.Matrix(name + "position", relative.position, width, hidden);
  expect.Vector(name + "content bias", relative.content_bias, width);
  expect.Vector(name + "position bias", relative.position_bias, width);
  expect.Vector(name + "segment bias", relative.segment_bias, width);
  for (const std::span<const float> segment : relative.segments) expect.Vector(name + "segment", segment, width);
}

void ExpectHead(const EncoderWeights& weights, Expectations& expect) {
  size_t width = weights.hidden;
  for (size_t i = 0; i < weights.head.steps.size(); ++i) {
    const LinearWeights& linear = weights.head.steps[i].linear;
    expect.True(linear.weight.rows > 0, "a step of the head has no outputs");
    expect.Linear("step " + std::to_string(i) + " of the head", linear, linear.weight.rows, width);
    width = linear.weight.rows;
  }
}

/// Row d + max_length - 1 holds the sinusoid of distance d.
std::vector<float> Sinusoids(size_t max_length, size_t hidden) {
  const size_t distances = 2 * max_length - 1, half = hidden / 2;
  std::vector<float> sinusoids(distances * hidden);
  for (size_t row = 0; row < distances; ++row) {
    const double distance = static_cast<double>(row) - static_cast<double>(max_length - 1);
    for (size_t k = 0; k < half; ++k) {
      const double angle = distance * std::pow(10000., -2. * static_cast<double>(k) / static_cast<double>(hidden));
      sinusoids[row * hidden + k] = static_cast<float>(std::sin(angle));
      sinusoids[row * hidden + half + k] = static_cast<float>(std::cos(angle));
    }
  }
  return sinusoids;
}

template <class T>
T Convert(float x) {
  if constexpr (std::is_same_v<T, __half>) return __float2half_rn(x);
  if constexpr (std::is_same_v<T, __nv_bfloat16>) return __float2bfloat16_rn(x);
  if constexpr (std::is_same_v<T, float>) return x;
}

/// Copies weights to the device in `device.dtype`. After the first failure it does nothing more.
class Loader {
 public:
  Loader(Matmul& matmul, DeviceWeights& device) : matmul_(matmul), device_(device) {}

  void Load(const EncoderWeights& weights) {
    LoadEmbedding(weights);
    for (const LayerWeights& layer : weights.layers) {
      device_.layers.push_back(LoadLayer(weights, layer));
      if (!outcome_.ok()) return;
    }
    for (size_t i = 0; i < weights.head.steps.size(); ++i) {
      device_.head.push_back(LoadStep(weights.head.steps[i], i + 1 == weights.head.steps.size()));
    }
  }

  const CudaOutcome& outcome() const { return outcome_; }

 private:
  void LoadEmbedding(const EncoderWeights& weights) {
    const models::EmbeddingWeights& embedding = weights.embedding;
    device_.words = Matrices({&embedding.words});
    if (!embedding.positions.empty()) device_.positions = Matrices({&embedding.positions});
    if (!embedding.types.empty()) device_.types = Matrices({&embedding.types});
    device_.embedding_norm = LoadNorm(embedding.norm, weights.norm_epsilon);
    if (!embedding.projection.weight.empty()) device_.projection = LoadLinear({&embedding.projection});
  }

  Layer LoadLayer(const EncoderWeights& weights, const LayerWeights& from) {
    Layer layer;
    layer.qkv = LoadLinear({&from.query, &from.key, &from.value});
    layer.output = LoadLinear({&from.output});
    layer.up = LoadLinear({&from.up});
    layer.down = LoadLinear({&from.down});
    layer.attention_norm = LoadNorm(from.attention_norm, weights.norm_epsilon);
    layer.output_norm = LoadNorm(from.output_norm, weights.norm_epsilon);
    if (from.relative) layer.relative = LoadRelative(weights, *from.relative);
    return layer;
  }

  RelativeTerms LoadRelative(const EncoderWeights& weights, const models::RelativeAttentionWeights& from) {
    RelativeTerms terms;
    terms.max_length = static_cast<int>(weights.max_length);
    terms.keys = PositionKeys(weights, from.position);
    terms.content_bias = Fp32(from.content_bias);
    terms.position_bias = Fp32(from.position_bias);
    terms.segment_bias = Fp32(from.segment_bias);
    for (int s = 0; s < 2; ++s) terms.segments[s] = Fp32(from.segments[s]);
    return terms;
  }

  /// r_d of every distance: a product in fp32, rounded once.
  const void* PositionKeys(const EncoderWeights& weights, const MatrixView& position) {
    const size_t hidden = weights.hidden, width = position.rows, distances = 2 * weights.max_length - 1;
    if (sinusoids_.empty()) sinusoids_ = Sinusoids(weights.max_length, hidden);
    const std::vector<float> weight = Packed<float>({&position});
    std::vector<float> keys(distances * width);
    DeviceBuffer x, w, out, workspace;
    if (!(Try(x.Reserve(sinusoids_.size() * 4, "memory for position keys")) &&
          Try(w.Reserve(weight.size() * 4, "memory for position keys")) &&
          Try(out.Reserve(keys.size() * 4, "memory for position keys")) &&
          Try(workspace.Reserve(kWorkspaceBytes, "memory for position keys")) &&
          CopyIn(x.as<void>(), sinusoids_.data(), sinusoids_.size() * 4) &&
          CopyIn(w.as<void>(), weight.data(), weight.size() * 4))) {
      return nullptr;
    }
    const MatmulCall call = {.dtype = Dtype::kFp32,
                             .rows = static_cast<int>(distances),
                             .inputs = static_cast<int>(hidden),
                             .outputs = static_cast<int>(width),
                             .x = x.as<void>(),
                             .weight = w.as<void>(),
                             .out = out.as<void>(),
                             .out_stride = static_cast<int>(width)};
    if (!(Try(matmul_.Multiply(nullptr, workspace.as<void>(), call)) &&
          Try(Outcome(cudaMemcpy(keys.data(), out.as<void>(), keys.size() * 4, cudaMemcpyDeviceToHost),
                      "making position keys")))) {
      return nullptr;
    }
    const MatrixView view = {keys.data(), distances, width, width};
    return Matrices({&view});
  }

  HeadStep LoadStep(const models::HeadStep& from, bool last) {
    HeadStep step;
    step.activation = from.activation;
    if (last && from.linear.weight.rows <= kFewOutputs) {
      step.linear.inputs = static_cast<int>(from.linear.weight.columns);
      step.linear.outputs = static_cast<int>(from.linear.weight.rows);
      step.linear.fp32_bias = Fp32(from.linear.bias);
      const std::vector<float> weight = Packed<float>({&from.linear.weight});
      step.fp32_weight = Fp32(weight);
    } else {
      step.linear = LoadLinear({&from.linear});
    }
    return step;
  }

  /// Several of the same input, one below the other. If one has a bias, those without get zeros.
  Linear LoadLinear(std::initializer_list<const LinearWeights*> parts) {
    Linear linear;
    std::vector<const MatrixView*> matrices;
    std::vector<float> bias;
    bool biased = false;
    for (const LinearWeights* part : parts) {
      matrices.push_back(&part->weight);
      linear.outputs += static_cast<int>(part->weight.rows);
      linear.inputs = static_cast<int>(part->weight.columns);
      biased |= !part->bias.empty();
      bias.insert(bias.end(), part->bias.begin(), part->bias.end());
      bias.resize(static_cast<size_t>(linear.outputs), 0.f);
    }
    linear.weight = Matrices(matrices);
    if (!biased) return linear;
    linear.fp32_bias = Fp32(bias);
    const MatrixView row = {bias.data(), 1, bias.size(), bias.size()};
    linear.bias = Matrices({&row});
    return linear;
  }

  Norm LoadNorm(const NormWeights& norm, float epsilon) { return {Fp32(norm.gain), Fp32(norm.bias), epsilon}; }

  /// Null for none.
  const float* Fp32(std::span<const float> vector) {
    if (vector.empty()) return nullptr;
    const MatrixView row = {vector.data(), 1, vector.size(), vector.size()};
    return static_cast<const float*>(Upload(Packed<float>({&row})));
  }

  const void* Matrices(const std::vector<const MatrixView*>& matrices) {
    return WithDtype(device_.dtype, [&](auto zero) { return Upload(Packed<decltype(zero)>(matrices)); });
  }

  template <class T>
  std::vector<T> Packed(const std::vector<const MatrixView*>& matrices) {
    constexpr float kLargest = std::is_same_v<T, __half> ? 65504.f : std::numeric_limits<float>::max();
    std::vector<T> packed;
    bool fits = true;
    for (const MatrixView* matrix : matrices) {
      packed.reserve(packed.size() + matrix->rows * matrix->columns);
      for (size_t row = 0; row < matrix->rows; ++row) {
        const float* from = matrix->data + row * matrix->row_stride;
        for (size_t column = 0; column < matrix->columns; ++column) {
          const float x = from[column * matrix->column_stride];
          fits &= std::fabs(x) <= kLargest;  // false for NaN
          packed.push_back(Convert<T>(x));
        }
      }
    }
    if (!fits) Try(Invalid("a weight is not finite, or too large for this numeric type"));
    return packed;
  }

  template <class T>
  const void* Upload(const std::vector<T>& values) {
    DeviceBuffer buffer;
    if (!Try(buffer.Reserve(values.size() * sizeof(T), "memory for the weights"))) return nullptr;
    if (!CopyIn(buffer.as<void>(), values.data(), values.size() * sizeof(T))) return nullptr;
    device_.buffers.push_back(std::move(buffer));
    return device_.buffers.back().as<void>();
  }

  bool CopyIn(void* to, const void* from, size_t bytes) {
    return outcome_.ok() &&
           Try(Outcome(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "copying the weights to the device"));
  }

  bool Try(CudaOutcome outcome) {
    if (outcome_.ok()) outcome_ = std::move(outcome);
    return outcome_.ok();
  }

  Matmul& matmul_;
  DeviceWeights& device_;
  CudaOutcome outcome_;
  std::vector<float> sinusoids_;
};

}  // namespace

size_t DeviceWeights::bytes() const {
  size_t bytes = 0;
  for (const DeviceBuffer& buffer : buffers) bytes += buffer.bytes();
  return bytes;
}

CudaOutcome CheckWeights(const EncoderWeights& weights) {
  Expectations expect;
  expect.True(weights.hidden && weights.heads && weights.head_size && weights.intermediate && weights.max_length,
              "hidden size, heads, head size, intermediate size and longest sequence must not be 0");
  expect.True(weights.head_size <= kMaxHeadSize, "heads of " + std::to_string(weights.head_size) +
                                                     " numbers, at most " + std::to_string(kMaxHeadSize) +
                                                     " are supported");
  expect.True(!weights.order.empty(), "there are no layers");
  for (const size_t layer : weights.order) expect.True(layer < weights.layers.size(), "a layer is missing");
  ExpectEmbedding(weights, expect);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    ExpectLayer(weights, weights.layers[i], "layer " + std::to_string(i) + ": ", expect);
    expect.True(!weights.layers[i].relative || weights.hidden % 2 == 0, "relative attention with an odd hidden size");
  }
  ExpectHead(weights, expect);
  return expect.outcome();
}

CudaOutcome LoadWeights(const EncoderWeights& weights, Dtype dtype, Matmul& matmul, DeviceWeights& device) {
  if (CudaOutcome outcome = CheckWeights(weights); !outcome.ok()) return outcome;
  device.dtype = dtype;
  device.hidden = static_cast<int>(weights.hidden);
  device.heads = static_cast<int>(weights.heads);
  device.head_size = static_cast<int>(weights.head_size);
  device.intermediate = static_cast<int>(weights.intermediate);
  device.embedding_width = static_cast<int>(weights.embedding.words.columns);
  device.output_width = static_cast<int>(weights.output_width());
  device.activation = weights.activation;
  device.rules = RulesOf(weights);
  device.order = weights.order;
  Loader loader(matmul, device);
  loader.Load(weights);
  if (!loader.outcome().ok()) return loader.outcome();
  // Copies from ordinary memory return before they have ended, and the replicas' streams do not wait for them.
  return Outcome(cudaDeviceSynchronize(), "copying the weights to the device");
}

}  // namespace bertha::cuda
