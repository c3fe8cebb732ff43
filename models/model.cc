#include "models/model.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
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

/// 1 or `max_threads`: races them on the longest probe, in turns, so that both see the same foreign load.
int ChooseThreads(const TorchScriptModule& module, const std::vector<Probe>& probes, int max_threads) {
  if (max_threads <= 1) return 1;
  constexpr int kRounds = 9, kWarmUp = 2;
  constexpr auto kEnough = std::chrono::milliseconds(500);
  const Probe& longest = *std::ranges::max_element(probes, {}, [](const Probe& probe) { return probe.ids.size(); });
  const std::unique_ptr<batcher::Encoder> one = module.NewReplica(1), many = module.NewReplica(max_threads);
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

absl::StatusOr<Model> LoadChecked(const std::string& dir, const EngineOptions& options) {
  absl::StatusOr<PackageContents> contents = ReadPackage(dir);
  if (!contents.ok()) return contents.status();
  absl::StatusOr<TorchScriptModule> module = LoadModule(*contents);
  if (!module.ok()) return module.status();
  const std::vector<Probe>& probes = contents->probes;
  std::unique_ptr<batcher::Encoder> first = module->NewReplica(std::max(1, options.threads));
  absl::StatusOr<ProbeReport> report = CheckEncoder(*first, probes, kFp32Tolerance);
  if (!report.ok()) return Blame(kModuleFile, report.status());
  Model model;
  model.probes = *report;
  model.weight_bytes = module->weight_bytes();
  model.threads = options.threads ? options.threads : ChooseThreads(*module, probes, options.max_threads);
  for (size_t i = 0; i < options.replicas; ++i) model.replicas.push_back(module->NewReplica(model.threads));
  model.manifest = std::move(contents->manifest);
  model.tokenizer = std::move(contents->tokenizer);
  return model;
}

absl::StatusOr<std::string> ProbeUnfinished(const std::string& dir, const std::vector<ProbeText>& texts) {
  absl::StatusOr<PackageContents> contents = ReadUnfinishedPackage(dir);
  if (!contents.ok()) return contents.status();
  absl::StatusOr<std::vector<Probe>> probes = EncodeProbes(*contents->tokenizer, contents->manifest, texts);
  if (!probes.ok()) return probes.status();
  absl::StatusOr<TorchScriptModule> module = LoadModule(*contents);
  if (!module.ok()) return module.status();
  std::unique_ptr<batcher::Encoder> encoder = module->NewReplica(1);
  if (absl::Status status = AnswerProbes(*encoder, *probes); !status.ok()) return Blame(kModuleFile, status);
  // A module that lets its answers depend on the texts beside it, or on their padding, is of no use here.
  if (absl::Status status = CheckEncoder(*encoder, *probes, kFp32Tolerance).status(); !status.ok()) {
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
