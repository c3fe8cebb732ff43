#include "models/model.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/cuda_model.h"
#include "models/families/families.h"
#include "models/fused_engine.h"
#include "models/kernels/cpu/brgemm.h"
#include "models/package_contents.h"
#include "models/torchscript_engine.h"

namespace bertha::models {
namespace {

absl::StatusOr<TorchScriptModule> LoadModule(const PackageContents& contents) {
  absl::StatusOr<std::shared_ptr<const PackageFile>> file = contents.files.OpenFile(kModuleFile);
  if (!file.ok()) return file.status();
  absl::StatusOr<TorchScriptModule> module = TorchScriptModule::Load(*std::move(file), contents.manifest);
  if (!module.ok()) return Blame(kModuleFile, module.status());
  return module;
}

/// Time of one forward pass of `probe`; its result was checked before.
std::chrono::nanoseconds TimeProbe(batcher::Encoder& encoder, const Probe& probe) {
  const std::vector<int32_t> cu_seqlens = {0, static_cast<int32_t>(probe.ids.size())};
  batcher::EncoderOutput output;
  const auto begin = std::chrono::steady_clock::now();
  encoder.Stage({probe.ids, probe.type_ids, cu_seqlens}, 0).IgnoreError();
  encoder.Run(0, output).IgnoreError();
  return std::chrono::steady_clock::now() - begin;
}

/// Of probes that the fused engine answers one by one too: rows there do not know of each other, and a model must not
/// take longer to load for it.
constexpr size_t kAloneTokens = 256;

/// An encoder whose forward pass uses so many threads.
using NewReplica = std::function<std::unique_ptr<batcher::Encoder>(int threads, const std::vector<int>& cores)>;

/// What computes a model, checked.
struct Engine {
  NewReplica new_replica;
  size_t weight_bytes = 0;
  ProbeReport report;
};

/// 1 or `max_threads`: races them on the longest probe, in turns, so that both see the same foreign load.
int ChooseThreads(const NewReplica& new_replica, const std::vector<Probe>& probes, int max_threads) {
  if (max_threads <= 1) return 1;
  constexpr int kRounds = 9, kWarmUp = 2;
  constexpr auto kEnough = std::chrono::milliseconds(500);
  const Probe& longest = *std::ranges::max_element(probes, {}, [](const Probe& probe) { return probe.ids.size(); });
  const std::unique_ptr<batcher::Encoder> one = new_replica(1, {}), many = new_replica(max_threads, {});
  std::vector<std::chrono::nanoseconds> one_times, many_times;
  const auto begin = std::chrono::steady_clock::now();
  for (int round = 0; round < kWarmUp + kRounds; ++round) {
    const auto one_time = TimeProbe(*one, longest), many_time = TimeProbe(*many, longest);
    if (round < kWarmUp) continue;
    one_times.push_back(one_time);
    many_times.push_back(many_time);
    if (std::chrono::steady_clock::now() - begin > kEnough) break;
  }
  std::ranges::sort(one_times);
  std::ranges::sort(many_times);
  // A close race goes to one thread: the other cores then serve gRPC and tokenize.
  const bool many_wins = many_times[many_times.size() / 2] * 10 < one_times[one_times.size() / 2] * 9;
  return many_wins ? max_threads : 1;
}

std::vector<Probe> ShortestProbes(const std::vector<Probe>& probes, size_t count) {
  std::vector<Probe> shortest = probes;
  std::ranges::stable_sort(shortest, {}, [](const Probe& probe) { return probe.ids.size(); });
  shortest.resize(std::min(count, shortest.size()));
  return shortest;
}

absl::StatusOr<Engine> MakeTorchScriptEngine(std::shared_ptr<TorchScriptModule> module, const PackageContents& contents,
                                             int threads) {
  if (absl::Status status = module->Freeze(); !status.ok()) return Blame(kModuleFile, status);
  const std::unique_ptr<batcher::Encoder> encoder = module->NewReplica(threads);
  absl::StatusOr<ProbeReport> report = CheckEncoder(*encoder, contents.probes, contents.manifest, ToleranceOf("fp32"));
  if (!report.ok()) return Blame(kModuleFile, report.status());
  return Engine{[module](int n, const std::vector<int>&) { return module->NewReplica(n); }, module->weight_bytes(),
                *report};
}

/// The numeric types to try, the wanted one first.
std::vector<Dtype> Candidates(absl::string_view dtype) {
  std::vector<Dtype> order = {Dtype::kInt8, Dtype::kBf16, Dtype::kFp32};
  while (dtype != "auto" && dtype != DtypeName(order.front())) order.erase(order.begin());
  return order;
}

/// Nothing, and the reasons in `refused`, if the model is TorchScript's to serve.
std::optional<Engine> MakeFusedEngine(const TorchScriptModule& module, const PackageContents& contents,
                                      const EngineOptions& options, int threads, std::vector<std::string>& refused) {
  const absl::StatusOr<EncoderWeights> weights = BuildEncoder(module.LiftWeights(), contents.manifest);
  if (!weights.ok()) {
    refused.push_back(absl::StrCat("fused: ", weights.status().message()));
    return std::nullopt;
  }
  for (const Dtype dtype : Candidates(options.dtype)) {
    absl::StatusOr<FusedModel> made = FusedModel::Make(*weights, dtype, threads);
    absl::Status status = made.status();
    if (made.ok()) {
      const auto model = std::make_shared<const FusedModel>(*std::move(made));
      const NewReplica new_replica = [model, tokens = options.batch_tokens](int n, const std::vector<int>& cores) {
        return model->NewReplica(n, tokens, cores);
      };
      const absl::StatusOr<ProbeReport> report = CheckEncoder(
          *new_replica(threads, {}), contents.probes, contents.manifest, ToleranceOf(DtypeName(dtype)), kAloneTokens);
      if (report.ok()) return Engine{new_replica, model->weight_bytes(), *report};
      status = report.status();
    }
    refused.push_back(absl::StrCat(DtypeName(dtype), ": ", status.message()));
  }
  return std::nullopt;
}

/// Those of replica `i` but the first, which is its worker's.
std::vector<int> CoresOfHelpers(const EngineOptions& options, size_t i) {
  const auto share = static_cast<ptrdiff_t>(options.cores.size() / options.replicas);
  if (share < 2) return {};
  const auto begin = options.cores.begin() + static_cast<ptrdiff_t>(i) * share;
  return {begin + 1, begin + share};
}

/// The engine that is to serve. The fused one answers the probes as the exporter did and so, for two of them, does
/// TorchScript: they agree with each other and the file is what was exported.
absl::StatusOr<Engine> MakeEngine(const PackageContents& contents, const EngineOptions& options, int threads,
                                  std::vector<std::string>& refused) {
  absl::StatusOr<TorchScriptModule> loaded = LoadModule(contents);
  if (!loaded.ok()) return loaded.status();
  const auto module = std::make_shared<TorchScriptModule>(*std::move(loaded));
  if (options.engine == EngineChoice::kTorchScript) return MakeTorchScriptEngine(module, contents, threads);
  std::optional<Engine> fused = MakeFusedEngine(*module, contents, options, threads, refused);
  if (fused) {
    constexpr size_t kTorchScriptProbes = 2;
    const absl::Status status =
        CheckEncoder(*module->NewReplica(threads), ShortestProbes(contents.probes, kTorchScriptProbes),
                     contents.manifest, ToleranceOf("fp32"))
            .status();
    if (!status.ok()) return Blame(kModuleFile, status);
    return *std::move(fused);
  }
  if (options.engine == EngineChoice::kFused) {
    return absl::FailedPreconditionError(absl::StrCat(kModuleFile, ": ", absl::StrJoin(refused, "; ")));
  }
  return MakeTorchScriptEngine(module, contents, threads);
}

/// The model on CUDA devices.
absl::StatusOr<Model> LoadOnCuda(PackageContents contents, const EngineOptions& options) {
  Model model;
  absl::StatusOr<CudaReplicas> made = MakeCudaReplicas(contents, options, model.refused);
  if (!made.ok()) return made.status();
  model.replicas = std::move(made->replicas);
  model.weight_bytes = made->weight_bytes;
  model.probes = made->report;
  model.manifest = std::move(contents.manifest);
  model.tokenizer = std::move(contents.tokenizer);
  malloc_trim(0);
  return model;
}

absl::StatusOr<Model> LoadChecked(const std::string& dir, const EngineOptions& options) {
  SetAmxKernels(kBrgemmBf16, kBrgemmInt8);
  absl::StatusOr<PackageContents> contents = ReadPackage(dir);
  if (!contents.ok()) return contents.status();
  if (options.device != "cpu") return LoadOnCuda(*std::move(contents), options);
  Model model;
  absl::StatusOr<Engine> engine = MakeEngine(
      *contents, options, options.threads > 0 ? options.threads : std::max(1, options.max_threads), model.refused);
  if (!engine.ok()) return engine.status();
  model.probes = engine->report;
  model.weight_bytes = engine->weight_bytes;
  model.threads =
      options.threads ? options.threads : ChooseThreads(engine->new_replica, contents->probes, options.max_threads);
  for (size_t i = 0; i < options.replicas; ++i) {
    model.replicas.push_back(engine->new_replica(model.threads, CoresOfHelpers(options, i)));
  }
  model.manifest = std::move(contents->manifest);
  model.tokenizer = std::move(contents->tokenizer);
  // The module as it was loaded is as large as what serves, and the allocator would keep its memory.
  malloc_trim(0);
  return model;
}

absl::StatusOr<std::string> ProbeUnfinished(const std::string& dir, const std::vector<ProbeText>& texts) {
  absl::StatusOr<PackageContents> contents = ReadUnfinishedPackage(dir);
  if (!contents.ok()) return contents.status();
  absl::StatusOr<std::vector<Probe>> probes = EncodeProbes(*contents->tokenizer, contents->manifest, texts);
  if (!probes.ok()) return probes.status();
  absl::StatusOr<TorchScriptModule> module = LoadModule(*contents);
  if (!module.ok()) return module.status();
  if (absl::Status status = module->Freeze(); !status.ok()) return Blame(kModuleFile, status);
  std::unique_ptr<batcher::Encoder> encoder = module->NewReplica(1);
  if (absl::Status status = AnswerProbes(*encoder, *probes); !status.ok()) return Blame(kModuleFile, status);
  // A module that lets its answers depend on the texts beside it, or on their padding, is of no use here.
  if (absl::Status status = CheckEncoder(*encoder, *probes, contents->manifest, ToleranceOf("fp32")).status();
      !status.ok()) {
    return Blame(kModuleFile, Blame("answers texts in a batch otherwise than alone", status));
  }
  std::string document = ProbesToJson(*probes);
  if (document.size() > kMaxProbesBytes) {
    return absl::InvalidArgumentError(absl::StrCat(kProbesFile, ": would have ", document.size(), " bytes, at most ",
                                                   kMaxProbesBytes, " are allowed; give fewer or shorter texts"));
  }
  return document;
}

/// What `load` returns, or what it threw: no memory, say; other models go on serving.
template <class Load>
auto WithoutExceptions(Load load) -> decltype(load()) {
  try {
    return load();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("loading failed: ", error.what()));
  }
}

}  // namespace

absl::StatusOr<Model> LoadModel(const std::string& dir, const EngineOptions& options) {
  return WithoutExceptions([&] { return LoadChecked(dir, options); });
}

absl::StatusOr<std::string> MakeProbes(const std::string& dir, const std::vector<ProbeText>& texts) {
  return WithoutExceptions([&] { return ProbeUnfinished(dir, texts); });
}

}  // namespace bertha::models
