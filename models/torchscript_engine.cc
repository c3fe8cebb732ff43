#include "models/torchscript_engine.h"

#include <ATen/Parallel.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <torch/csrc/jit/runtime/jit_exception.h>
#include <torch/script.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/torchscript_weights.h"
#include "models/zip_check.h"

namespace bertha::models {
namespace {

using batcher::EncoderDescription;
using batcher::EncoderOutput;
using batcher::PackedBatch;

constexpr size_t kLongestReason = 400;

/// Torch's messages carry a C++ stack, and the interpreter's the module's source; one line says what happened.
std::string Reason(const std::exception& error) {
  std::string text = error.what();
  if (const auto* raised = dynamic_cast<const torch::jit::JITException*>(&error)) {  // by the module itself
    text = absl::StrCat(raised->getPythonClassName().value_or("RuntimeError"), ": ",
                        raised->getOriginalMsg().value_or("no reason given"));
  } else if (const auto* torch_error = dynamic_cast<const c10::Error*>(&error)) {
    text = torch_error->what_without_backtrace();
  }
  // What an operation throws stands behind the tracebacks.
  const size_t reason = text.rfind("RuntimeError: ");
  if (reason != std::string::npos) text.erase(0, reason);
  text = std::string(absl::StripLeadingAsciiWhitespace(text));
  text = text.substr(0, text.find('\n')).substr(0, kLongestReason);
  // It may quote a damaged file, and goes into logs and replies.
  std::ranges::replace_if(
      text, [](unsigned char c) { return !absl::ascii_isprint(c); }, '?');
  return text;
}

/// OpenMP's thread count belongs to the calling thread, so each thread that runs forward passes sets it once.
void UseThreads(int threads) {
  thread_local int current = 0;
  if (current == threads) return;
  // At a thread's first parallel operation Torch gives it the count that *any* thread set last. Asking for the count
  // brings that forward: it must not undo what comes now.
  at::get_num_threads();
  at::set_num_threads(threads);
  current = threads;
}

/// What the last dimension of the outputs is, for one whose module has another.
const char* RowMeaning(Task task) {
  switch (task) {
    case Task::kSequenceClassification:
      return "one logit for each label of bertha.json";
    case Task::kTokenClassification:
      return "for each token one logit for each label of bertha.json";
    case Task::kQuestionAnswering:
      return "for each token a start and an end logit";
    case Task::kEmbeddings:
      return "for each token a vector of the dimension in bertha.json";
  }
  return "";
}

class TorchScriptEncoder final : public batcher::Encoder {
 public:
  TorchScriptEncoder(torch::jit::Module module, const Manifest& manifest, std::string dtype, int threads)
      : module_(std::move(module)),
        padding_(manifest.padding),
        takes_type_ids_(manifest.takes_type_ids),
        threads_(threads),
        row_meaning_(RowMeaning(manifest.task)) {
    description_ = {.engine = "torchscript",
                    .device = "cpu",
                    .dtype = std::move(dtype),
                    .max_sequence_length = manifest.max_length,
                    .output_width = manifest.output_width(),
                    .row_per_token = manifest.row_per_token(),
                    .pads = true};
  }

  const EncoderDescription& Describe() const override { return description_; }

  absl::Status Stage(const PackedBatch& batch, int slot) override {
    Staged& staged = staged_[slot];
    staged.rows = static_cast<int64_t>(batch.size());
    staged.length = 0;
    staged.lengths.clear();
    for (size_t i = 0; i < batch.size(); ++i) {
      staged.lengths.push_back(batch.cu_seqlens[i + 1] - batch.cu_seqlens[i]);
      staged.length = std::max(staged.length, staged.lengths.back());
    }
    const size_t size = static_cast<size_t>(staged.rows * staged.length);
    staged.ids.assign(size, padding_.id);
    staged.mask.assign(size, 0);
    if (takes_type_ids_) staged.type_ids.assign(size, padding_.type_id);
    for (size_t i = 0; i < batch.size(); ++i) CopyRow(batch, i, staged);
    return absl::OkStatus();
  }

  absl::Status Run(int slot, EncoderOutput& output) override {
    try {
      UseThreads(threads_);
      c10::InferenceMode inference;
      return CopyRows(Forward(staged_[slot]), staged_[slot], output);
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrCat("the forward pass failed: ", Reason(error)));
    }
  }

 private:
  /// [rows, length] each, row-major.
  struct Staged {
    std::vector<int64_t> ids, mask, type_ids;
    int64_t rows = 0;
    int64_t length = 0;
    /// [rows] tokens of each sequence, without padding.
    std::vector<int64_t> lengths;
  };

  void CopyRow(const PackedBatch& batch, size_t i, Staged& staged) const {
    const int32_t begin = batch.cu_seqlens[i], end = batch.cu_seqlens[i + 1];
    const int64_t pad = padding_.left ? staged.length - (end - begin) : 0;
    const auto at = static_cast<ptrdiff_t>(static_cast<int64_t>(i) * staged.length + pad);
    std::copy(batch.ids.begin() + begin, batch.ids.begin() + end, staged.ids.begin() + at);
    if (takes_type_ids_) {
      std::copy(batch.type_ids.begin() + begin, batch.type_ids.begin() + end, staged.type_ids.begin() + at);
    }
    std::fill_n(staged.mask.begin() + at, end - begin, 1);
  }

  at::Tensor Forward(Staged& staged) {
    auto tensor = [&](std::vector<int64_t>& values) {
      return torch::from_blob(values.data(), {staged.rows, staged.length}, torch::kInt64);
    };
    std::vector<c10::IValue> inputs = {tensor(staged.ids), tensor(staged.mask)};
    if (takes_type_ids_) inputs.push_back(tensor(staged.type_ids));
    c10::IValue result = module_.forward(std::move(inputs));
    if (result.isTuple() && !result.toTupleRef().elements().empty()) result = result.toTupleRef().elements()[0];
    TORCH_CHECK(result.isTensor(), "forward() returned ", result.tagKind(), ", expected a tensor");
    return result.toTensor();
  }

  /// `outputs` is [rows, width], or [rows, length, width] whose padding is left out.
  absl::Status CopyRows(const at::Tensor& outputs, const Staged& staged, EncoderOutput& output) const {
    const auto width = static_cast<int64_t>(description_.output_width);
    const std::vector<int64_t> expected = description_.row_per_token
                                              ? std::vector<int64_t>{staged.rows, staged.length, width}
                                              : std::vector<int64_t>{staged.rows, width};
    if (outputs.sizes() != at::IntArrayRef(expected)) {
      return absl::InternalError(absl::StrCat("forward() returned a tensor of shape ", Shape(outputs.sizes()),
                                              ", expected ", Shape(expected), ": ", row_meaning_));
    }
    const at::Tensor dense = outputs.to(torch::kFloat32).contiguous();
    const float* values = dense.data_ptr<float>();
    output.width = static_cast<size_t>(width);
    if (!description_.row_per_token) {
      output.rows = static_cast<size_t>(staged.rows);
      output.values.assign(values, values + dense.numel());
      return absl::OkStatus();
    }
    output.rows = 0;
    output.values.clear();
    for (const int64_t length : staged.lengths) {
      const float* first = values + (padding_.left ? (staged.length - length) * width : 0);
      output.values.insert(output.values.end(), first, first + length * width);
      output.rows += static_cast<size_t>(length);
      values += staged.length * width;
    }
    return absl::OkStatus();
  }

  static std::string Shape(at::IntArrayRef sizes) { return absl::StrCat("[", absl::StrJoin(sizes, ", "), "]"); }

  torch::jit::Module module_;
  const Padding padding_;
  const bool takes_type_ids_;
  const int threads_;
  const char* const row_meaning_;
  EncoderDescription description_;
  std::array<Staged, kSlots> staged_;
};

/// What PyTorch reads a file through.
class FileReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit FileReader(std::shared_ptr<const PackageFile> file) : file_(std::move(file)) {}
  size_t size() const override { return file_->size(); }
  size_t read(uint64_t pos, void* buffer, size_t n, const char*) const override {
    return file_->ReadAt(pos, buffer, n);
  }

 private:
  const std::shared_ptr<const PackageFile> file_;
};

size_t WeightBytes(const torch::jit::Module& module) {
  size_t bytes = 0;
  for (const at::Tensor& tensor : module.parameters()) bytes += tensor.nbytes();
  return bytes;
}

std::string DtypeName(const torch::jit::Module& module) {
  for (const at::Tensor& tensor : module.parameters()) {
    if (tensor.scalar_type() == torch::kBFloat16) return "bf16";
    if (tensor.scalar_type() == torch::kHalf) return "fp16";
  }
  return "fp32";
}

absl::Status CheckForward(const torch::jit::Module& module, const Manifest& manifest) {
  const auto forward = module.find_method("forward");
  if (!forward) return absl::InvalidArgumentError("the module has no forward()");
  const size_t expected = manifest.takes_type_ids ? 3 : 2;
  const size_t takes = forward->num_inputs() - 1;  // without self
  if (takes < expected) {
    return absl::InvalidArgumentError(absl::StrCat("forward() takes ", takes, " inputs, bertha.json names ", expected));
  }
  const auto& inputs = forward->function().getSchema().arguments();
  const auto needs = static_cast<size_t>(std::ranges::count_if(
                         inputs, [](const c10::Argument& input) { return !input.default_value().has_value(); })) -
                     1;
  if (needs > expected) {
    return absl::InvalidArgumentError(absl::StrCat("forward() needs ", needs, " inputs, bertha.json names ", expected));
  }
  return absl::OkStatus();
}

}  // namespace

struct TorchScriptModule::Impl {
  /// As it was loaded, its weights by name; the frozen one has them as constants, in the same memory.
  torch::jit::Module loaded;
  torch::jit::Module module;  // to run
  Manifest manifest;
  std::string dtype;
  size_t weight_bytes = 0;
};

TorchScriptModule::TorchScriptModule(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TorchScriptModule::TorchScriptModule(TorchScriptModule&&) noexcept = default;
TorchScriptModule::~TorchScriptModule() = default;

absl::StatusOr<TorchScriptModule> TorchScriptModule::Load(std::shared_ptr<const PackageFile> file,
                                                          const Manifest& manifest) {
  if (absl::Status status = CheckPickles(*file); !status.ok()) return status;
  try {
    UseThreads(1);  // optimizing compares constants in parallel, and the threads for it would stay
    torch::jit::Module module = torch::jit::load(std::make_shared<FileReader>(file), torch::kCPU);
    if (absl::Status status = file->CheckUnchanged(); !status.ok()) return status;
    module.eval();
    if (absl::Status status = CheckForward(module, manifest); !status.ok()) return status;
    return TorchScriptModule(
        std::make_unique<Impl>(Impl{module, module, manifest, DtypeName(module), WeightBytes(module)}));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("cannot be loaded as TorchScript: ", Reason(error)));
  }
}

absl::Status TorchScriptModule::Freeze() {
  try {
    impl_->module = torch::jit::freeze(impl_->loaded);
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("cannot be optimized by TorchScript: ", Reason(error)));
  }
}

std::unique_ptr<batcher::Encoder> TorchScriptModule::NewReplica(int threads) const {
  return std::make_unique<TorchScriptEncoder>(impl_->module, impl_->manifest, impl_->dtype, threads);
}

NamedWeights TorchScriptModule::LiftWeights() const { return models::LiftWeights(impl_->loaded); }

size_t TorchScriptModule::weight_bytes() const { return impl_->weight_bytes; }

}  // namespace bertha::models
