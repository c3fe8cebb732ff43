#include "models/fused_engine.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "models/activation_rows.h"
#include "models/kernels/cpu/packed_matrix.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/kernels/cpu/thread_team.h"
#include "models/ops/attention.h"
#include "models/ops/linear.h"
#include "models/packed_model.h"
#include "models/staged_batch.h"

namespace bertha::models {
namespace {

bool IsFloat(Element element) { return element == Element::kF32 || element == Element::kBf16; }

class FusedEncoder final : public batcher::Encoder {
 public:
  FusedEncoder(std::shared_ptr<const PackedModel> model, int threads, size_t tokens, const std::vector<int>& cores)
      : model_(std::move(model)),
        m_(*model_),
        kernels_(GetRowKernels()),
        team_(threads, cores),
        linear_(team_, kernels_),
        attention_(team_, kernels_, *m_.attention_kernel, m_.heads, m_.head_size, m_.max_length, m_.is_relative()) {
    description_ = {.engine = "fused",
                    .device = "cpu",
                    .dtype = DtypeName(m_.dtype),
                    .max_sequence_length = m_.max_length,
                    .output_width = m_.output_width,
                    .row_per_token = m_.head_rows == HeadRows::kAll,
                    .pads = false};
    const Element operand = m_.kernel->activations, wide = m_.attention_kernel->activations;
    const size_t inner = m_.heads * m_.head_size;
    x_ = Matrix(m_.hidden, Element::kF32);
    input_ = Operand(m_.hidden, operand);
    qkv_ = Matrix(m_.layers.empty() ? 0 : m_.layers[0].qkv.padded_outputs(), wide);
    context_ = Operand(inner, operand);
    up_ = Operand(m_.intermediate, operand);
    if (!IsFloat(operand)) {
      context_raw_ = Matrix(inner, wide);
      up_raw_ = Matrix(m_.intermediate, wide);
    }
    query_ = Matrix(inner, wide);
    picked_input_ = Operand(m_.hidden, operand);
    picked_x_ = Matrix(m_.hidden, Element::kF32);
    if (m_.projection) embedded_ = Operand(m_.embedding_width, m_.projection->kernel().activations);
    if (m_.projection) embedding_sums_ = Matrix(m_.embedding_width, Element::kF32);
    for (const PackedHeadStep& step : m_.head) {
      head_inputs_.emplace_back(step.linear.inputs(), step.linear.kernel().activations);
      head_outputs_.emplace_back(step.linear.padded_outputs(), Element::kF32);
    }
    Reserve(tokens, 0);
    description_.batch_bytes = BatchBytes();
  }

  const batcher::EncoderDescription& Describe() const override { return description_; }

  absl::Status Stage(const batcher::PackedBatch& batch, int slot) override {
    return staged_[static_cast<size_t>(slot)].Set(batch, m_);
  }

  absl::Status Run(int slot, batcher::EncoderOutput& output) override {
    const StagedBatch& staged = staged_[static_cast<size_t>(slot)];
    if (!staged.status().ok()) return staged.status();
    output = {.rows = 0, .width = m_.output_width, .values = std::move(output.values)};
    output.values.clear();
    if (staged.tokens() == 0) return absl::OkStatus();
    Reserve(staged.tokens(), staged.size());
    lap_begin_ = std::chrono::steady_clock::now();
    Embed(staged);
    EndLap(kEmbeddings);
    const bool picks = m_.head_rows != HeadRows::kAll;
    for (size_t i = 0; i < m_.order.size(); ++i) {
      RunLayer(m_.layers[m_.order[i]], staged, picks && i + 1 == m_.order.size());
    }
    RunHead(picks ? staged.size() : staged.tokens(), output);
    EndLap(kHead);
    return absl::OkStatus();
  }

  std::vector<batcher::StepTime> StepTimes() const override { return {steps_.begin(), steps_.end()}; }

 private:
  enum StepIndex { kEmbeddings, kQkv, kAttention, kOutput, kUp, kDown, kHead, kSteps };

  /// All time since the step before belongs to this one.
  void EndLap(StepIndex step) {
    const auto now = std::chrono::steady_clock::now();
    steps_[step].time += now - lap_begin_;
    lap_begin_ = now;
  }

  /// Memory for a batch; more than what was asked for, so that growing batches come to an end of it.
  void Reserve(size_t tokens, size_t sequences) {
    if (tokens > tokens_) {
      tokens_ = std::max(tokens, 2 * tokens_);
      for (Matrix* matrix : {&x_, &qkv_, &context_raw_, &up_raw_, &embedding_sums_}) matrix->Reserve(tokens_);
      for (Operand* operand : {&input_, &context_, &up_, &embedded_}) operand->Reserve(tokens_);
    }
    const size_t picked = m_.head_rows == HeadRows::kAll ? tokens : sequences;
    if (picked <= picked_) return;
    picked_ = std::max(picked, 2 * picked_);
    if (m_.head_rows != HeadRows::kAll) {
      for (Matrix* matrix : {&query_, &picked_x_}) matrix->Reserve(picked_);
      picked_input_.Reserve(picked_);
    }
    for (Operand& operand : head_inputs_) operand.Reserve(picked_);
    for (Matrix& matrix : head_outputs_) matrix.Reserve(picked_);
  }

  size_t BatchBytes() const {
    size_t bytes = 0;
    for (const Matrix* matrix : {&x_, &qkv_, &context_raw_, &up_raw_, &embedding_sums_, &query_, &picked_x_}) {
      bytes += matrix->bytes();
    }
    for (const Operand* operand : {&input_, &context_, &up_, &embedded_, &picked_input_}) bytes += operand->bytes();
    for (const Operand& operand : head_inputs_) bytes += operand.bytes();
    for (const Matrix& matrix : head_outputs_) bytes += matrix.bytes();
    return bytes;
  }

  /// Every row at a time: rows [begin, end) of a task.
  template <class Body>
  void ForRows(size_t rows, Body body) {
    constexpr size_t kRowsPerTask = 16;
    team_.Run((rows + kRowsPerTask - 1) / kRowsPerTask, [&](size_t task, int) {
      const size_t end = std::min(rows, (task + 1) * kRowsPerTask);
      for (size_t row = task * kRowsPerTask; row < end; ++row) body(row);
    });
  }

  void Normalize(const PackedNorm& norm, float* row) {
    if (norm.size == 0) return;
    kernels_.layer_norm(row, norm.size, norm.gain.as<float>(), norm.bias.as<float>(), m_.epsilon, row);
  }

  void Embed(const StagedBatch& staged) {
    const size_t rows = staged.tokens(), width = PaddedRow(m_.embedding_width);
    ForRows(rows, [&](size_t i) {
      float* const out = m_.projection ? embedding_sums_.f32(i) : x_.f32(i);
      const float* position =
          m_.positions.empty() ? nullptr : m_.positions.f32(static_cast<size_t>(staged.positions()[i]));
      const float* type = m_.types.empty() ? nullptr : m_.types.f32(static_cast<size_t>(staged.type_ids()[i]));
      kernels_.add_embeddings(m_.words.row(static_cast<size_t>(staged.ids()[i])), m_.words.element(), position, type,
                              width, out);
      Normalize(m_.embedding_norm, out);
      m_.projection ? embedded_.Set(kernels_, i, out) : input_.Set(kernels_, i, out);
    });
    if (!m_.projection) return;
    const LinearCall project = {.in = embedded_.view(),
                                .rows = rows,
                                .weights = &*m_.projection,
                                .panels = m_.projection->panels(),
                                .out = x_.rows()};
    linear_.Run(project, [&](size_t begin, size_t end, int) {
      for (size_t i = begin; i < end; ++i) input_.Set(kernels_, i, x_.f32(i));
    });
  }

  /// x_ and input_ in, x_ and input_ out; of the last layer, if it `picks`, only the rows that the head reads.
  void RunLayer(const PackedLayer& layer, const StagedBatch& staged, bool picks) {
    const size_t rows = picks ? staged.size() : staged.tokens();
    Matrix& x = picks ? picked_x_ : x_;
    Operand& input = picks ? picked_input_ : input_;
    Project(layer.qkv, picks ? kKey : kQuery, staged.tokens());
    if (picks) Pick(layer.qkv, staged);
    EndLap(kQkv);
    Attend(layer, staged, picks);
    EndLap(kAttention);
    AddProduct(context_, layer.output, layer.attention_norm, rows, x, input);
    EndLap(kOutput);
    Widen(input, layer.up, rows);
    EndLap(kUp);
    AddProduct(up_, layer.down, layer.output_norm, rows, x, input);
    EndLap(kDown);
  }

  /// Of all tokens, from the `first` part on: queries, keys and values, or without the queries.
  void Project(const PackedMatrix& qkv, QkvPart first, size_t tokens) {
    Rows out = qkv_.rows();
    out.data += qkv.first_column(first) * SizeOf(qkv_.element());
    linear_.Run({.in = input_.view(),
                 .rows = tokens,
                 .weights = &qkv,
                 .first_panel = qkv.first_panel(first),
                 .panels = qkv.panels() - qkv.first_panel(first),
                 .out = out});
  }

  /// The row of the tokens that the head reads of sequence `i`.
  size_t PickedRow(const StagedBatch& staged, size_t i) const {
    return static_cast<size_t>(m_.head_rows == HeadRows::kFirst ? staged.cu_seqlens()[i]
                                                                : staged.cu_seqlens()[i + 1] - 1);
  }

  /// The rows that the head reads, and their queries.
  void Pick(const PackedMatrix& qkv, const StagedBatch& staged) {
    for (size_t i = 0; i < staged.size(); ++i) {
      const size_t from = PickedRow(staged, i);
      picked_input_.CopyRow(i, input_, from);
      std::memcpy(picked_x_.row(i), x_.row(from), x_.stride());
    }
    linear_.Run({.in = picked_input_.view(),
                 .rows = staged.size(),
                 .weights = &qkv,
                 .panels = qkv.first_panel(kKey),
                 .out = query_.rows()});
  }

  void Attend(const PackedLayer& layer, const StagedBatch& staged, bool picks) {
    const PackedMatrix& qkv = layer.qkv;
    const size_t element = SizeOf(qkv_.element());
    auto part = [&](QkvPart p) {
      return Activations{qkv_.row(0) + qkv.first_column(p) * element, qkv_.stride(), nullptr};
    };
    AttentionCall call = {.queries = picks ? Activations{query_.row(0), query_.stride(), nullptr} : part(kQuery),
                          .keys = part(kKey),
                          .values = part(kValue),
                          .cu_seqlens = staged.cu_seqlens(),
                          .order = staged.order(),
                          .query_rows = picks ? m_.head_rows : HeadRows::kAll,
                          .scale = 1 / std::sqrt(static_cast<float>(m_.head_size)),
                          .out = context_.rows()};
    if (layer.relative) {
      call.relative = &*layer.relative;
      call.type_ids = staged.type_ids().data();
    }
    if (IsFloat(context_.element())) {
      attention_.Run(call);
    } else {
      call.out = context_raw_.rows();
      attention_.Run(call, [&](size_t begin, size_t end, int) {
        for (size_t i = begin; i < end; ++i) context_.Set(kernels_, i, context_raw_);
      });
    }
  }

  /// x = norm(x + from · weights), of which `next` becomes the operand.
  void AddProduct(Operand& from, const PackedMatrix& weights, const PackedNorm& norm, size_t rows, Matrix& x,
                  Operand& next) {
    const LinearCall call = {.in = from.view(),
                             .rows = rows,
                             .weights = &weights,
                             .panels = weights.panels(),
                             .residual = x.f32(0),
                             .residual_stride = x.f32_stride(),
                             .out = x.rows()};
    linear_.Run(call, [&](size_t begin, size_t end, int) {
      for (size_t i = begin; i < end; ++i) {
        Normalize(norm, x.f32(i));
        next.Set(kernels_, i, x.f32(i));
      }
    });
  }

  /// up_ = activation(from · weights)
  void Widen(Operand& from, const PackedMatrix& weights, size_t rows) {
    LinearCall call = {.in = from.view(),
                       .rows = rows,
                       .weights = &weights,
                       .panels = weights.panels(),
                       .activation = m_.activation,
                       .out = up_.rows()};
    if (IsFloat(up_.element())) return linear_.Run(call);
    call.out = up_raw_.rows();
    linear_.Run(call, [&](size_t begin, size_t end, int) {
      for (size_t i = begin; i < end; ++i) up_.Set(kernels_, i, up_raw_);
    });
  }

  void RunHead(size_t rows, batcher::EncoderOutput& output) {
    Matrix* last = m_.head_rows == HeadRows::kAll ? &x_ : &picked_x_;
    for (size_t step = 0; step < m_.head.size(); ++step) {
      const PackedMatrix& linear = m_.head[step].linear;
      for (size_t i = 0; i < rows; ++i) head_inputs_[step].Set(kernels_, i, last->f32(i));
      linear_.Run({.in = head_inputs_[step].view(),
                   .rows = rows,
                   .weights = &linear,
                   .panels = linear.panels(),
                   .activation = m_.head[step].activation,
                   .out = head_outputs_[step].rows()});
      last = &head_outputs_[step];
    }
    output.rows = rows;
    output.width = m_.output_width;
    output.values.resize(rows * output.width);
    for (size_t i = 0; i < rows; ++i) {
      std::copy_n(last->f32(i), output.width, output.values.begin() + static_cast<ptrdiff_t>(i * output.width));
    }
  }

  const std::shared_ptr<const PackedModel> model_;
  const PackedModel& m_;
  const RowKernels kernels_;
  ThreadTeam team_;
  LinearRunner linear_;
  AttentionRunner attention_;
  batcher::EncoderDescription description_;
  std::array<StagedBatch, kSlots> staged_;
  // Always counted: a few looks at the clock for each layer.
  std::array<batcher::StepTime, kSteps> steps_ = {
      {{"embeddings"}, {"qkv"}, {"attention"}, {"output"}, {"up"}, {"down"}, {"head"}}};
  std::chrono::steady_clock::time_point lap_begin_;
  size_t tokens_ = 0, picked_ = 0;  // that there is memory for
  // The residual stream. Products add to it in place: another matrix would push this one out of the cache.
  Matrix x_;
  Operand input_;  // of the next product
  Matrix qkv_;
  Operand context_, up_;
  Matrix context_raw_, up_raw_;  // before they are quantised
  // Of the rows that the head reads.
  Matrix query_, picked_x_;
  Operand picked_input_;
  Operand embedded_;  // before the projection
  Matrix embedding_sums_;
  std::vector<Operand> head_inputs_;
  std::vector<Matrix> head_outputs_;
};

}  // namespace

const char* DtypeName(Dtype dtype) { return dtype == Dtype::kFp32 ? "fp32" : dtype == Dtype::kBf16 ? "bf16" : "int8"; }

FusedModel FusedModel::Make(const EncoderWeights& weights, Dtype dtype, int threads) {
  ThreadTeam team(threads);
  return FusedModel(std::make_shared<const PackedModel>(weights, dtype, team));
}

std::unique_ptr<batcher::Encoder> FusedModel::NewReplica(int threads, size_t tokens,
                                                         const std::vector<int>& cores) const {
  return std::make_unique<FusedEncoder>(model_, threads, tokens, cores);
}

size_t FusedModel::weight_bytes() const { return model_->bytes; }

}  // namespace bertha::models
