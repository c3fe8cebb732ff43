#include "models/fused_engine.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/kernels/cpu/aligned_buffer.h"
#include "models/kernels/cpu/packed_matrix.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/kernels/cpu/thread_team.h"
#include "models/ops/attention.h"
#include "models/ops/linear.h"
#include "models/packed_model.h"

namespace bertha::models {
namespace {

/// [rows][stride] of one element type that grows with the batches.
class Matrix {
 public:
  Matrix() = default;
  Matrix(size_t columns, Element element)
      // One cache line more: rows a power of two apart would share the sets of the first-level cache.
      : element_(element), stride_(PaddedRow(columns) * SizeOf(element) + AlignedBuffer::kAlignment) {}

  void Reserve(size_t rows) {
    if (stride_ == 0) return;  // not of this model
    // A tail for the reader that takes whole vectors from the last columns of the last row.
    data_ = AlignedBuffer(rows * stride_ + kRowPadding * sizeof(float));
  }

  std::byte* row(size_t i) { return data_.data() + i * stride_; }
  float* f32(size_t i) { return reinterpret_cast<float*>(row(i)); }
  size_t stride() const { return stride_; }
  size_t f32_stride() const { return stride_ / sizeof(float); }
  Element element() const { return element_; }
  size_t bytes() const { return data_.bytes(); }
  Rows rows() { return {data_.data(), stride_, element_}; }

 private:
  Element element_ = Element::kF32;
  size_t stride_ = 0;
  AlignedBuffer data_;
};

/// What a product reads: rows in the kernel's elements, with their scales.
class Operand {
 public:
  Operand() = default;
  Operand(size_t columns, Element element) : columns_(columns), matrix_(columns, element) {}

  void Reserve(size_t rows) {
    if (matrix_.stride() == 0) return;
    matrix_.Reserve(rows);
    scales_.resize(rows);
  }
  void Set(const RowKernels& kernels, size_t i, const float* x) {
    scales_[i] = kernels.convert(x, PaddedRow(columns_), matrix_.element(), matrix_.row(i));
  }
  void SetBf16(const RowKernels& kernels, size_t i, const uint16_t* x) {
    scales_[i] = kernels.convert_bf16(x, PaddedRow(columns_), matrix_.element(), matrix_.row(i));
  }
  /// Row `i` becomes row `from` of `other`.
  void CopyRow(size_t i, Operand& other, size_t from) {
    std::memcpy(matrix_.row(i), other.matrix_.row(from), other.matrix_.stride());
    scales_[i] = other.scales_[from];
  }
  Activations view() { return {matrix_.row(0), matrix_.stride(), scales_.data()}; }
  Rows rows() { return matrix_.rows(); }
  Element element() const { return matrix_.element(); }
  size_t bytes() const { return matrix_.bytes() + scales_.size() * sizeof(float); }

 private:
  size_t columns_ = 0;
  Matrix matrix_;
  std::vector<float> scales_;
};

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
    Staged& staged = staged_[static_cast<size_t>(slot)];
    staged.ids.assign(batch.ids.begin(), batch.ids.end());
    staged.type_ids.assign(batch.type_ids.begin(), batch.type_ids.end());
    staged.type_ids.resize(batch.ids.size() + kRowPadding);  // attention reads whole vectors
    staged.cu_seqlens.assign(batch.cu_seqlens.begin(), batch.cu_seqlens.end());
    staged.positions.resize(batch.ids.size());
    const size_t n = batch.size();
    staged.order.resize(n);
    staged.status = absl::OkStatus();
    for (size_t i = 0; i < n; ++i) {
      staged.order[i] = static_cast<int32_t>(i);
      if (staged.length(i) > m_.max_length) {
        staged.status = absl::InvalidArgumentError(absl::StrCat("sequence ", i, " has ", staged.length(i),
                                                                " tokens, at most ", m_.max_length, " are possible"));
      } else {
        SetPositions(staged, i);
      }
    }
    for (const int32_t id : staged.ids) {
      if (id < 0 || static_cast<size_t>(id) >= m_.words.rows()) {
        staged.status =
            absl::InvalidArgumentError(absl::StrCat("token id ", id, " is not in the vocabulary of ", m_.words.rows()));
      }
    }
    if (!m_.types.empty()) {
      for (const int32_t type : batch.type_ids) {
        if (type < 0 || static_cast<size_t>(type) >= m_.types.rows()) {
          staged.status = absl::InvalidArgumentError(absl::StrCat("type id ", type, " is not below ", m_.types.rows()));
        }
      }
    }
    // Not stable_sort, which allocates.
    std::ranges::sort(staged.order, [&](int32_t a, int32_t b) {
      const size_t length_a = staged.length(static_cast<size_t>(a)), length_b = staged.length(static_cast<size_t>(b));
      return length_a != length_b ? length_a > length_b : a < b;
    });
    return staged.status;
  }

  absl::Status Run(int slot, batcher::EncoderOutput& output) override {
    const Staged& staged = staged_[static_cast<size_t>(slot)];
    if (!staged.status.ok()) return staged.status;
    output = {.rows = 0, .width = m_.output_width, .values = std::move(output.values)};
    output.values.clear();
    if (staged.ids.empty()) return absl::OkStatus();
    Reserve(staged.ids.size(), staged.size());
    lap_begin_ = std::chrono::steady_clock::now();
    Embed(staged);
    EndLap(kEmbeddings);
    const bool picks = m_.head_rows != HeadRows::kAll;
    for (size_t i = 0; i < m_.order.size(); ++i) {
      RunLayer(m_.layers[m_.order[i]], staged, picks && i + 1 == m_.order.size());
    }
    RunHead(staged, picks ? staged.size() : staged.ids.size(), output);
    EndLap(kHead);
    return absl::OkStatus();
  }

  std::vector<batcher::StepTime> StepTimes() const override { return {steps_.begin(), steps_.end()}; }

 private:
  struct Staged {
    std::vector<int32_t> ids, type_ids, cu_seqlens, positions;
    std::vector<int32_t> order;  // sequences, the longest first
    absl::Status status;

    size_t size() const { return cu_seqlens.empty() ? 0 : cu_seqlens.size() - 1; }
    size_t length(size_t i) const { return static_cast<size_t>(cu_seqlens[i + 1] - cu_seqlens[i]); }
  };

  enum StepIndex { kEmbeddings, kQkv, kAttention, kOutput, kUp, kDown, kHead, kSteps };

  /// All time since the step before belongs to this one.
  void EndLap(StepIndex step) {
    const auto now = std::chrono::steady_clock::now();
    steps_[step].time += now - lap_begin_;
    lap_begin_ = now;
  }

  void SetPositions(Staged& staged, size_t sequence) const {
    auto position = static_cast<int32_t>(m_.first_position);
    for (auto i = static_cast<size_t>(staged.cu_seqlens[sequence]);
         i < static_cast<size_t>(staged.cu_seqlens[sequence + 1]); ++i) {
      const bool is_skipped = staged.ids[i] == m_.skipped_id;
      staged.positions[i] = is_skipped ? static_cast<int32_t>(m_.first_position) - 1 : position++;
    }
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

  void Embed(const Staged& staged) {
    const size_t rows = staged.ids.size(), width = PaddedRow(m_.embedding_width);
    ForRows(rows, [&](size_t i) {
      float* const out = m_.projection ? embedding_sums_.f32(i) : x_.f32(i);
      const float* position =
          m_.positions.empty() ? nullptr : m_.positions.f32(static_cast<size_t>(staged.positions[i]));
      const float* type = m_.types.empty() ? nullptr : m_.types.f32(static_cast<size_t>(staged.type_ids[i]));
      kernels_.add_embeddings(m_.words.row(static_cast<size_t>(staged.ids[i])), m_.words.element(), position, type,
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

  /// The row of the tokens that the head reads of sequence `i`.
  size_t PickedRow(const Staged& staged, size_t i) const {
    return static_cast<size_t>(m_.head_rows == HeadRows::kFirst ? staged.cu_seqlens[i] : staged.cu_seqlens[i + 1] - 1);
  }

  /// x_ and input_ in, x_ and input_ out; of the last layer, if it `picks`, only the rows that the head reads.
  void RunLayer(const PackedLayer& layer, const Staged& staged, bool picks) {
    const size_t tokens = staged.ids.size(), rows = picks ? staged.size() : tokens;
    const PackedMatrix& qkv = layer.qkv;
    const size_t element = SizeOf(qkv_.element()), first = picks ? qkv.first_panel(kKey) : 0;
    Rows out = qkv_.rows();
    out.data += qkv.first_column(kQuery + (picks ? 1 : 0)) * element;
    linear_.Run({.in = input_.view(),
                 .rows = tokens,
                 .weights = &qkv,
                 .first_panel = first,
                 .panels = qkv.panels() - first,
                 .out = out});
    Operand& input = picks ? picked_input_ : input_;
    Matrix& x = picks ? picked_x_ : x_;
    if (picks) {
      for (size_t i = 0; i < rows; ++i) {
        const size_t from = PickedRow(staged, i);
        picked_input_.CopyRow(i, input_, from);
        std::memcpy(picked_x_.row(i), x_.row(from), x_.stride());
      }
      linear_.Run({.in = input.view(), .rows = rows, .weights = &qkv, .panels = first, .out = query_.rows()});
    }
    EndLap(kQkv);
    Attend(layer, staged, picks);
    EndLap(kAttention);

    const LinearCall output = {.in = context_.view(),
                               .rows = rows,
                               .weights = &layer.output,
                               .panels = layer.output.panels(),
                               .residual = x.f32(0),
                               .residual_stride = x.f32_stride(),
                               .out = x.rows()};
    linear_.Run(output, [&](size_t begin, size_t end, int) {
      for (size_t i = begin; i < end; ++i) {
        Normalize(layer.attention_norm, x.f32(i));
        input.Set(kernels_, i, x.f32(i));
      }
    });

    EndLap(kOutput);
    LinearCall up = {.in = input.view(),
                     .rows = rows,
                     .weights = &layer.up,
                     .panels = layer.up.panels(),
                     .activation = m_.activation,
                     .out = up_.rows()};
    if (IsFloat(up_.element())) {
      linear_.Run(up);
    } else {
      up.out = up_raw_.rows();
      linear_.Run(up, [&](size_t begin, size_t end, int) {
        for (size_t i = begin; i < end; ++i) Convert(up_raw_, i, up_);
      });
    }

    EndLap(kUp);
    const LinearCall down = {.in = up_.view(),
                             .rows = rows,
                             .weights = &layer.down,
                             .panels = layer.down.panels(),
                             .residual = x.f32(0),
                             .residual_stride = x.f32_stride(),
                             .out = x.rows()};
    linear_.Run(down, [&](size_t begin, size_t end, int) {
      for (size_t i = begin; i < end; ++i) {
        Normalize(layer.output_norm, x.f32(i));
        input.Set(kernels_, i, x.f32(i));
      }
    });
    EndLap(kDown);
  }

  void Convert(Matrix& from, size_t i, Operand& to) {
    if (from.element() == Element::kBf16) {
      to.SetBf16(kernels_, i, reinterpret_cast<const uint16_t*>(from.row(i)));
    } else {
      to.Set(kernels_, i, from.f32(i));
    }
  }

  void Attend(const PackedLayer& layer, const Staged& staged, bool picks) {
    const PackedMatrix& qkv = layer.qkv;
    const size_t element = SizeOf(qkv_.element());
    auto part = [&](QkvPart p) {
      return Activations{qkv_.row(0) + qkv.first_column(p) * element, qkv_.stride(), nullptr};
    };
    AttentionCall call = {.queries = picks ? Activations{query_.row(0), query_.stride(), nullptr} : part(kQuery),
                          .keys = part(kKey),
                          .values = part(kValue),
                          .cu_seqlens = staged.cu_seqlens,
                          .order = staged.order,
                          .query_rows = picks ? m_.head_rows : HeadRows::kAll,
                          .scale = 1 / std::sqrt(static_cast<float>(m_.head_size)),
                          .out = context_.rows()};
    if (layer.relative) {
      call.relative = &*layer.relative;
      call.type_ids = staged.type_ids.data();
    }
    if (IsFloat(context_.element())) {
      attention_.Run(call);
    } else {
      call.out = context_raw_.rows();
      attention_.Run(call, [&](size_t begin, size_t end, int) {
        for (size_t i = begin; i < end; ++i) Convert(context_raw_, i, context_);
      });
    }
  }

  void RunHead(const Staged&, size_t rows, batcher::EncoderOutput& output) {
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
  std::array<Staged, kSlots> staged_;
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
const char* FusedModel::kernel_name() const { return model_->kernel->name; }

}  // namespace bertha::models
