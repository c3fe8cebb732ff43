#include "models/cuda/fused_replica.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace bertha::cuda {
namespace {

using models::Activation;
using models::CudaBatch;
using models::CudaOutcome;
using models::HeadRows;
using Code = CudaOutcome::Code;

constexpr size_t kAlignment = 256;

/// Blocks for each head. A captured graph serves every batch of its bucket, whatever its number of tiles: then a guess.
int AttentionBlocks(int tokens, int tiles, bool for_any) {
  return for_any ? tokens / kTileQueries + 16 : std::max(tiles, 1);
}

/// Of a size that cuBLASLt may have no epilogue for.
bool IsOdd(const Linear& linear) { return linear.inputs % 8 || linear.outputs % 8; }

const void* Advance(const void* matrix, size_t numbers, Dtype dtype) {
  return static_cast<const char*>(matrix) + numbers * BytesOf(dtype);
}

void* Advance(void* matrix, size_t numbers, Dtype dtype) {
  return static_cast<char*>(matrix) + numbers * BytesOf(dtype);
}

}  // namespace

CudaOutcome FusedReplica::Create(std::shared_ptr<const FusedModelState> model,
                                 std::unique_ptr<models::CudaReplica>& replica) {
  std::unique_ptr<FusedReplica> made(new FusedReplica(std::move(model)));
  CudaOutcome outcome = made->Init();
  if (outcome.ok()) replica = std::move(made);
  return outcome;
}

FusedReplica::~FusedReplica() {
  cudaSetDevice(model_->options.device);
  if (stream_.get()) cudaStreamSynchronize(stream_.get());
}

size_t FusedReplica::graphs() const {
  return static_cast<size_t>(
      std::ranges::count_if(graphs_, [](const auto& graph) { return graph.second.executable.get() != nullptr; }));
}

bool FusedReplica::Do(CudaOutcome outcome) {
  if (outcome.ok()) return true;
  if (outcome_.ok()) outcome_ = std::move(outcome);
  return false;
}

CudaOutcome FusedReplica::Init() {
  outcome_ = {};
  for (const Layer& layer : model_->weights.layers) {
    qkv_.push_back(layer.qkv.weight);
    output_.push_back(layer.output.weight);
    up_.push_back(layer.up.weight);
    down_.push_back(layer.down.weight);
  }
  Do(cudaSetDevice(model_->options.device), "choosing the device") &&
      Do(cudaStreamCreateWithFlags(stream_.put(), cudaStreamNonBlocking), "making a stream") &&
      Do(workspace_.Reserve(kWorkspaceBytes, "memory for matrix products"));
  for (Slot& slot : slots_) {
    outcome_.ok() && Do(cudaStreamCreateWithFlags(slot.stream.put(), cudaStreamNonBlocking), "making a stream") &&
        Do(cudaEventCreateWithFlags(slot.copied.put(), cudaEventDisableTiming), "making an event");
  }
  outcome_.ok() && Do(ReserveArena()) && Do(ReserveInputs()) && Do(WarmUp());
  return outcome_;
}

/// Of the largest part. Graphs know addresses: inputs should move only for batches of several parts.
CudaOutcome FusedReplica::ReserveInputs() {
  constexpr size_t kTileInts = sizeof(AttentionTile) / sizeof(int32_t);
  const InputLayout layout(max_tokens_, RowBucket(max_tokens_));
  const size_t bytes = (layout.tiles + static_cast<size_t>(max_tokens_) * kTileInts) * sizeof(int32_t);
  CudaOutcome outcome;
  for (Slot& slot : slots_) {
    if (outcome.ok()) outcome = slot.host_input.Reserve(bytes, "pinned memory for the input");
    if (outcome.ok()) outcome = slot.input.Reserve(bytes, "memory for the input");
  }
  return outcome;
}

CudaOutcome FusedReplica::ReserveArena() {
  const int shortest = TokenBucket(model_->weights.rules.max_length);
  max_tokens_ = std::max(TokenBucket(static_cast<int>(model_->options.max_tokens)), shortest);
  for (;;) {
    const size_t bytes = LayOutArena(nullptr);
    CudaOutcome outcome = arena_.Reserve(bytes, "memory for activations");
    if (outcome.ok()) {
      LayOutArena(arena_.as<void>());
      return Outcome(cudaMemsetAsync(arena_.as<void>(), 0, bytes, stream_.get()), "clearing the activations");
    }
    if (outcome.code != Code::kOutOfMemory || max_tokens_ == shortest) return outcome;
    max_tokens_ = std::max(TokenBucket(max_tokens_ / 2), shortest);  // batches then run in more parts
  }
}

/// Bytes of the arena, whose parts it puts one after the other from `base` on.
size_t FusedReplica::LayOutArena(void* base) {
  const DeviceWeights& weights = model_->weights;
  const bool all_rows = weights.rules.head_rows == HeadRows::kAll;
  const auto tokens = static_cast<size_t>(max_tokens_);
  const size_t rows = all_rows ? tokens : static_cast<size_t>(RowBucket(max_tokens_));
  const size_t most = std::max(tokens, rows);  // a part's rows are filled up beyond its tokens if there are few
  size_t used = 0;
  auto take = [&](size_t numbers, size_t bytes_each) -> void* {
    void* const here = base ? static_cast<char*>(base) + used : nullptr;
    used += (numbers * bytes_each + kAlignment - 1) / kAlignment * kAlignment;
    return here;
  };
  const size_t each = BytesOf(weights.dtype);
  const auto hidden = static_cast<size_t>(weights.hidden), attention = static_cast<size_t>(weights.attention_width());
  size_t head_width = 1;
  for (const HeadStep& step : weights.head) head_width = std::max<size_t>(head_width, step.linear.outputs);
  at_.hidden = take(tokens * hidden, each);
  at_.qkv = take(tokens * 3 * attention, each);
  at_.context = take(most * attention, each);
  at_.sums = take(most * std::max<size_t>(hidden, weights.embedding_width), each);
  at_.up = take(most * weights.intermediate, each);
  at_.rows_hidden = take(all_rows ? 0 : rows * hidden, each);
  at_.rows_query = take(all_rows ? 0 : rows * attention, each);
  for (void*& head : at_.head) head = take(rows * head_width, each);
  at_.output = static_cast<float*>(take(rows * weights.output_width, sizeof(float)));
  return used;
}

/// Batches of each size, of few and of many sequences: kernels are loaded, algorithms chosen.
CudaOutcome FusedReplica::WarmUp() {
  if (!model_->options.tune) return {};
  const int longest = model_->weights.rules.max_length;
  std::vector<float> values;
  for (const int bucket : TokenBuckets(max_tokens_)) {
    for (const int wanted : {1, 9, 65}) {  // so many that each likely number of rows comes
      const int sequences = std::min(std::max(wanted, (bucket + longest - 1) / longest), bucket);
      const std::vector<int32_t> ids(static_cast<size_t>(bucket), 0);
      std::vector<int32_t> cu_seqlens;
      for (int64_t i = 0; i <= sequences; ++i) cu_seqlens.push_back(static_cast<int32_t>(i * bucket / sequences));
      if (CudaOutcome outcome = Stage({ids, ids, cu_seqlens}, 0); !outcome.ok()) return outcome;
      if (CudaOutcome outcome = Run(0, values); !outcome.ok()) return outcome;
    }
  }
  graphs_.clear();
  return {};
}

CudaOutcome FusedReplica::Stage(const CudaBatch& batch, int index) {
  const DeviceWeights& weights = model_->weights;
  if (CudaOutcome outcome = CheckBatch(weights.rules, batch); !outcome.ok()) return outcome;
  Slot& slot = slots_[index];
  if (CudaOutcome outcome = Outcome(cudaSetDevice(model_->options.device), "choosing the device"); !outcome.ok()) {
    return outcome;
  }
  // A batch that was staged here and never run may still be on its way.
  CudaOutcome outcome = Outcome(cudaEventSynchronize(slot.copied.get()), "waiting for the last copy");
  slot.parts = PlanParts(weights.rules, batch, max_tokens_);
  size_t rows = 0;
  for (const Part& part : slot.parts) rows += static_cast<size_t>(part.rows);
  const size_t bytes = InputCount(slot.parts) * sizeof(int32_t);
  if (outcome.ok()) outcome = slot.host_input.Reserve(bytes, "pinned memory for the input");
  if (outcome.ok()) outcome = slot.input.Reserve(bytes, "memory for the input");
  if (outcome.ok()) {
    outcome = slot.host_output.Reserve(rows * weights.output_width * sizeof(float), "pinned memory for the output");
  }
  if (outcome.ok() && bytes) {
    for (const Part& part : slot.parts) FillInput(weights.rules, batch, part, slot.host_input.as<int32_t>());
    outcome = Outcome(cudaMemcpyAsync(slot.input.as<void>(), slot.host_input.as<void>(), bytes, cudaMemcpyHostToDevice,
                                      slot.stream.get()),
                      "copying the input");
  }
  if (outcome.ok()) outcome = Outcome(cudaEventRecord(slot.copied.get(), slot.stream.get()), "copying the input");
  if (!outcome.ok()) slot.parts.clear();
  return outcome;
}

CudaOutcome FusedReplica::Run(int index, std::vector<float>& values) {
  Slot& slot = slots_[index];
  values.clear();
  outcome_ = {};
  if (slot.parts.empty()) return {};
  const Part& last = slot.parts.back();
  const size_t count = (last.first_row + static_cast<size_t>(last.rows)) * model_->weights.output_width;
  CudaOutcome outcome = Outcome(cudaSetDevice(model_->options.device), "choosing the device");
  if (outcome.ok()) {
    outcome = Outcome(cudaStreamWaitEvent(stream_.get(), slot.copied.get(), 0), "waiting for the input");
  }
  for (const Part& part : slot.parts) {
    if (outcome.ok()) outcome = RunPart(index, part);
  }
  // Also after a failure: what was queued before it must not run into the next batch.
  const CudaOutcome ended = Outcome(cudaStreamSynchronize(stream_.get()), "running the encoder");
  if (outcome.ok() || ended.code == Code::kDeviceLost) outcome = ended;
  if (!outcome.ok()) return outcome;
  const auto* from = slot.host_output.as<const float>();
  values.assign(from, from + count);
  return {};
}

CudaOutcome FusedReplica::RunPart(int index, const Part& part) {
  constexpr size_t kMostGraphs = 256;
  const size_t width = static_cast<size_t>(model_->weights.output_width);
  Slot& slot = slots_[index];
  const int32_t* input = slot.input.as<const int32_t>() + part.input;
  CachedGraph* graph = nullptr;
  if (ForAny(part)) {
    if (graphs_.size() >= kMostGraphs) graphs_.clear();
    graph = &graphs_[{index, part.token_bucket, part.row_bucket, input}];
    if (graph->runs++ > 0 && !graph->refused && !graph->executable.get()) {
      graph->refused = !Capture(input, part, graph->executable).ok();
    }
  }
  CudaOutcome outcome = graph && graph->executable.get()
                            ? Outcome(cudaGraphLaunch(graph->executable.get(), stream_.get()), "launching a graph")
                            : Forward(input, part);
  if (!outcome.ok()) return outcome;
  return Outcome(
      cudaMemcpyAsync(slot.host_output.as<float>() + part.first_row * width, at_.output,
                      static_cast<size_t>(part.rows) * width * sizeof(float), cudaMemcpyDeviceToHost, stream_.get()),
      "copying the output");
}

CudaOutcome FusedReplica::Capture(const int32_t* input, const Part& part, GraphExec& executable) {
  // Other threads go on calling CUDA meanwhile.
  CudaOutcome begun = Outcome(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal), "capturing");
  if (!begun.ok()) return begun;
  CudaOutcome outcome = Forward(input, part);
  Graph graph;
  const CudaOutcome ended = Outcome(cudaStreamEndCapture(stream_.get(), graph.put()), "capturing");
  if (outcome.ok()) outcome = ended;
  if (!outcome.ok()) return outcome;
  return Outcome(cudaGraphInstantiate(executable.put(), graph.get(), 0), "making a graph");
}

CudaOutcome FusedReplica::Forward(const int32_t* input, const Part& part) {
  const DeviceWeights& weights = model_->weights;
  const InputLayout at(part.token_bucket, part.row_bucket);
  const bool all_rows = weights.rules.head_rows == HeadRows::kAll;
  // Queries and keys of the last layer come from parts of one matrix, which must begin at aligned addresses.
  const bool few_rows = !all_rows && weights.attention_width() % 8 == 0 && weights.hidden % 8 == 0;
  outcome_ = {};
  if (!Embeddings(input, at, part.token_bucket)) return outcome_;
  for (size_t i = 0; i < weights.order.size(); ++i) {
    const Layer& layer = weights.layers[weights.order[i]];
    const bool last = i + 1 == weights.order.size();
    if (!(last && few_rows ? LastLayer(layer, input, at, part) : WholeLayer(layer, input, at, part))) return outcome_;
  }
  if (all_rows) {
    Head(at_.hidden, part.token_bucket);
    return outcome_;
  }
  (few_rows || Do(GatherRows(stream_.get(), weights.dtype, at_.hidden, input + at.rows, at_.rows_hidden,
                             part.row_bucket, weights.hidden),
                  "gathering rows")) &&
      Head(at_.rows_hidden, part.row_bucket);
  return outcome_;
}

bool FusedReplica::Embeddings(const int32_t* input, const InputLayout& at, int tokens) {
  const DeviceWeights& weights = model_->weights;
  const EmbeddingArguments embedding = {.words = weights.words,
                                        .positions = weights.positions,
                                        .types = weights.types,
                                        .ids = input + at.ids,
                                        .position_ids = input + at.positions,
                                        .type_ids = input + at.type_ids};
  void* const out = weights.projection ? at_.sums : at_.hidden;
  if (!Do(Embed(stream_.get(), weights.dtype, embedding, weights.embedding_norm, out, tokens, weights.embedding_width),
          "embedding")) {
    return false;
  }
  return !weights.projection || Product(*weights.projection, out, at_.hidden, tokens, Epilogue::kBias, {});
}

bool FusedReplica::Product(const Linear& linear, const void* x, void* out, int rows, Epilogue epilogue,
                           std::span<const void* const> peers, int out_stride) {
  if (linear.bias && epilogue == Epilogue::kBias && IsOdd(linear)) {
    return Product(linear, x, out, rows, Epilogue::kNone, peers) &&
           Do(AddActivate(stream_.get(), model_->weights.dtype, out, linear.fp32_bias, Activation::kNone, rows,
                          linear.outputs),
              "a bias");
  }
  return Do(model_->matmul->Multiply(stream_.get(), workspace_.as<void>(),
                                     {.dtype = model_->weights.dtype,
                                      .rows = rows,
                                      .inputs = linear.inputs,
                                      .outputs = linear.outputs,
                                      .x = x,
                                      .weight = linear.weight,
                                      .bias = linear.bias,
                                      .out = out,
                                      .out_stride = out_stride ? out_stride : linear.outputs,
                                      .epilogue = linear.bias ? epilogue : Epilogue::kNone,
                                      .peers = peers}));
}

bool FusedReplica::WholeLayer(const Layer& layer, const int32_t* input, const InputLayout& at, const Part& part) {
  const DeviceWeights& weights = model_->weights;
  if (!Product(layer.qkv, at_.hidden, at_.qkv, part.token_bucket, Epilogue::kBias, qkv_)) return false;
  return Attend(layer, at_.qkv, 3 * weights.attention_width(), input + at.tiles, input + at.counts, input + at.type_ids,
                AttentionBlocks(part.token_bucket, part.tiles, ForAny(part))) &&
         AfterAttention(layer, at_.hidden, part.token_bucket);
}

bool FusedReplica::LastLayer(const Layer& layer, const int32_t* input, const InputLayout& at, const Part& part) {
  const DeviceWeights& weights = model_->weights;
  const int width = weights.attention_width();
  const size_t queries = static_cast<size_t>(width);
  Linear query = layer.qkv, key_value = layer.qkv;
  query.outputs = width;
  key_value.outputs = 2 * width;
  key_value.weight = Advance(layer.qkv.weight, queries * layer.qkv.inputs, weights.dtype);
  if (layer.qkv.bias) key_value.bias = Advance(layer.qkv.bias, queries, weights.dtype);
  return Product(key_value, at_.hidden, Advance(at_.qkv, queries, weights.dtype), part.token_bucket, Epilogue::kBias,
                 {}, 3 * width) &&
         Do(GatherRows(stream_.get(), weights.dtype, at_.hidden, input + at.rows, at_.rows_hidden, part.row_bucket,
                       weights.hidden),
            "gathering rows") &&
         Product(query, at_.rows_hidden, at_.rows_query, part.row_bucket, Epilogue::kBias, {}) &&
         Attend(layer, at_.rows_query, width, input + at.row_tiles, input + at.counts + 1, input + at.type_ids,
                AttentionBlocks(part.row_bucket, part.row_tiles, ForAny(part))) &&
         AfterAttention(layer, at_.rows_hidden, part.row_bucket);
}

/// at_.context = attention of the queries to the keys and values in at_.qkv.
bool FusedReplica::Attend(const Layer& layer, const void* queries, int query_stride, const int32_t* tiles,
                          const int32_t* tile_count, const int32_t* type_ids, int blocks) {
  const DeviceWeights& weights = model_->weights;
  const int width = weights.attention_width();
  AttentionArguments attention = {.q = queries,
                                  .k = Advance(at_.qkv, static_cast<size_t>(width), weights.dtype),
                                  .v = Advance(at_.qkv, 2 * static_cast<size_t>(width), weights.dtype),
                                  .out = at_.context,
                                  .q_stride = query_stride,
                                  .kv_stride = 3 * width,
                                  .out_stride = width,
                                  .heads = weights.heads,
                                  .head_size = weights.head_size,
                                  .scale = 1.f / std::sqrt(static_cast<float>(weights.head_size)),
                                  .tiles = reinterpret_cast<const AttentionTile*>(tiles),
                                  .tile_count = tile_count,
                                  .relative = layer.relative};
  attention.relative.type_ids = type_ids;
  return Do(Attention(stream_.get(), weights.dtype, attention, blocks), "attention");
}

/// `hidden` [rows, hidden] becomes the layer's output; at_.context holds the attention's.
bool FusedReplica::AfterAttention(const Layer& layer, void* hidden, int rows) {
  const DeviceWeights& weights = model_->weights;
  const auto stream = stream_.get();
  const Epilogue epilogue = UpEpilogue(layer.up);
  return Product(layer.output, at_.context, at_.sums, rows, Epilogue::kNone, output_) &&
         Do(AddNorm(stream, weights.dtype, at_.sums, layer.output.fp32_bias, hidden, layer.attention_norm, hidden, rows,
                    weights.hidden),
            "a norm") &&
         Product(layer.up, hidden, at_.up, rows, epilogue, up_) &&
         (epilogue != Epilogue::kNone || Do(AddActivate(stream, weights.dtype, at_.up, layer.up.fp32_bias,
                                                        weights.activation, rows, weights.intermediate),
                                            "an activation")) &&
         Product(layer.down, at_.up, at_.sums, rows, Epilogue::kNone, down_) &&
         Do(AddNorm(stream, weights.dtype, at_.sums, layer.down.fp32_bias, hidden, layer.output_norm, hidden, rows,
                    weights.hidden),
            "a norm");
}

/// kNone: the activation has a kernel of its own. cuBLASLt's GELU is the one by tanh.
Epilogue FusedReplica::UpEpilogue(const Linear& up) const {
  const DeviceWeights& weights = model_->weights;
  if (!up.bias || weights.dtype == Dtype::kFp32 || IsOdd(up)) return Epilogue::kNone;
  switch (weights.activation) {
    case Activation::kGelu:
      return model_->options.tanh_for_erf ? Epilogue::kBiasGeluTanh : Epilogue::kNone;
    case Activation::kGeluTanh:
      return Epilogue::kBiasGeluTanh;
    case Activation::kRelu:
      return Epilogue::kBiasRelu;
    default:
      return Epilogue::kNone;
  }
}

/// at_.output = what the head makes of `rows` [count, hidden].
bool FusedReplica::Head(const void* rows, int count) {
  const DeviceWeights& weights = model_->weights;
  const auto stream = stream_.get();
  if (weights.head.empty()) {
    return Do(ToFp32(stream, weights.dtype, rows, at_.output, static_cast<size_t>(count) * weights.hidden), "the head");
  }
  for (size_t i = 0; i < weights.head.size(); ++i) {
    const HeadStep& step = weights.head[i];
    const bool last = i + 1 == weights.head.size();
    if (step.fp32_weight) {
      return Do(SmallLinear(stream, weights.dtype, rows, step.fp32_weight, step.linear.fp32_bias, step.activation,
                            at_.output, count, step.linear.inputs, step.linear.outputs),
                "the head");
    }
    void* const out = last ? at_.output : at_.head[i % 2];
    const Dtype dtype = last ? Dtype::kFp32 : weights.dtype;
    if (!Do(model_->matmul->Multiply(stream, workspace_.as<void>(),
                                     {.dtype = weights.dtype,
                                      .fp32_out = last,
                                      .rows = count,
                                      .inputs = step.linear.inputs,
                                      .outputs = step.linear.outputs,
                                      .x = rows,
                                      .weight = step.linear.weight,
                                      .out = out,
                                      .out_stride = step.linear.outputs})) ||
        !Do(AddActivate(stream, dtype, out, step.linear.fp32_bias, step.activation, count, step.linear.outputs),
            "the head")) {
      return false;
    }
    rows = out;
  }
  return true;
}

/// True if the part may run as a graph, which then serves other batches of its bucket as well.
bool FusedReplica::ForAny(const Part& part) const {
  return part.token_bucket <= static_cast<int>(model_->options.graph_tokens);
}

}  // namespace bertha::cuda
