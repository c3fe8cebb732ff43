#include "models/model.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <span>
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

/// An encoder whose forward pass uses so many threads.
using NewReplica = std::function<std::unique_ptr<batcher::Encoder>(int threads, const std::vector<int>& cores)>;

/// What computes a model, checked.
struct Engine {
  NewReplica new_replica;
  size_t weight_bytes = 0;
  ProbeReport report;
};

/// Multiply-adds of a quick check in fp32: about half a second of two cores.
constexpr double kQuickCheck = 5e10;

/// How many of the probes are run by an encoder with so many multiply-adds for each token.
CheckEffort EffortOf(const EngineOptions& options, absl::string_view dtype, double work_per_token) {
  // Of the fused engine, which answers rows that do not know of each other, some alone are enough.
  constexpr size_t kAloneTokens = 256;
  if (!options.quick_check) return {.alone_tokens = dtype.empty() ? CheckEffort().alone_tokens : kAloneTokens};
  const double rate = dtype == "int8" ? 4 : dtype == "bf16" ? 2 : 1;  // roughly, of fp32's
  const auto tokens = static_cast<size_t>(std::min(1e6, kQuickCheck * rate / std::max(1.0, work_per_token)));
  const size_t alone = std::min(kAloneTokens, tokens / 8);
  return {.alone_tokens = alone, .batch_tokens = tokens - alone};
}

double WorkPerToken(const EncoderWeights& w) {
  return static_cast<double>(w.order.size() * w.hidden * (4 * w.heads * w.head_size + 2 * w.intermediate));
}

/// A pass of the beginning of `probe`, which was answered well before.
void RunShort(batcher::Encoder& encoder, const Probe& probe, batcher::EncoderOutput& output) {
  constexpr size_t kTokens = 16;
  const size_t tokens = std::min(kTokens, probe.ids.size());
  const std::vector<int32_t> cu_seqlens = {0, static_cast<int32_t>(tokens)};
  encoder.Stage({std::span(probe.ids).first(tokens), std::span(probe.type_ids).first(tokens), cu_seqlens}, 0)
      .IgnoreError();
  encoder.Run(0, output).IgnoreError();
}

const Probe& Longest(const std::vector<Probe>& probes) {
  return *std::ranges::max_element(probes, {}, [](const Probe& probe) { return probe.ids.size(); });
}

/// Passes of a short text, timed.
class Racer {
 public:
  Racer(int threads, std::unique_ptr<batcher::Encoder> encoder) : threads_(threads), encoder_(std::move(encoder)) {}

  void Run(const Probe& probe) {
    const auto begin = std::chrono::steady_clock::now();
    RunShort(*encoder_, probe, output_);
    best_ = std::min<std::chrono::nanoseconds>(best_, std::chrono::steady_clock::now() - begin);
  }
  int threads() const { return threads_; }
  std::chrono::nanoseconds best() const { return best_; }

 private:
  int threads_;
  std::unique_ptr<batcher::Encoder> encoder_;
  batcher::EncoderOutput output_;
  std::chrono::nanoseconds best_ = std::chrono::nanoseconds::max();
};

/// The fewest threads that are nearly as fast as any other number of them, up to `most`. They race, doubling, in turns,
/// and the best time of each counts: what a model needs must not depend on who else is starting up. So a pass that is
/// long enough for the hand-over between threads to be nothing does not race at all.
int ChooseThreads(const NewReplica& new_replica, const std::vector<Probe>& probes, int most) {
  constexpr auto kLong = std::chrono::milliseconds(5);
  constexpr int kRounds = 10;
  const Probe& probe = Longest(probes);
  std::vector<Racer> racers;
  for (int threads = 1; threads < most; threads *= 2) {
    racers.emplace_back(threads, new_replica(threads, {}));
    for (int warm_up = 0; warm_up < 2; ++warm_up) racers.back().Run(probe);
    if (threads == 1 && racers[0].best() > kLong) return most;
  }
  racers.emplace_back(most, new_replica(most, {}));
  for (int round = 0; round < kRounds; ++round) {
    for (Racer& racer : racers) racer.Run(probe);
  }
  const auto best = std::ranges::min_element(racers, {}, &Racer::best)->best();
  // A close race goes to fewer threads: other texts, gRPC and the tokenizer can use the other cores.
  return std::ranges::find_if(racers, [&](const Racer& racer) { return racer.best() * 9 < best * 10; })->threads();
}

std::vector<Probe> ShortestProbes(const std::vector<Probe>& probes, size_t count) {
  std::vector<Probe> shortest = probes;
  std::ranges::stable_sort(shortest, {}, [](const Probe& probe) { return probe.ids.size(); });
  shortest.resize(std::min(count, shortest.size()));
  return shortest;
}

/// So few that every check compares them, and little to keep: short ones, but one in any case.
std::vector<Probe> ChooseCanaries(const std::vector<Probe>& probes) {
  constexpr size_t kMost = 4, kTokens = 64;
  std::vector<Probe> chosen = ShortestProbes(probes, kMost);
  size_t tokens = 0, count = 0;
  while (count < chosen.size() && (tokens += chosen[count].ids.size()) <= kTokens) ++count;
  chosen.resize(std::max<size_t>(1, count));
  return chosen;
}

absl::StatusOr<Engine> MakeTorchScriptEngine(std::shared_ptr<TorchScriptModule> module, const PackageContents& contents,
                                             const EngineOptions& options, int threads) {
  if (absl::Status status = module->Freeze(); !status.ok()) return Blame(kModuleFile, status);
  const std::unique_ptr<batcher::Encoder> encoder = module->NewReplica(threads);
  // What it multiplies for a token is not known, but at least it reads each weight about once.
  const CheckEffort effort = EffortOf(options, "", static_cast<double>(module->weight_bytes()) / sizeof(float));
  absl::StatusOr<ProbeReport> report =
      CheckEncoder(*encoder, contents.probes, contents.manifest, ToleranceOf("fp32"), effort);
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
    const auto model = std::make_shared<const FusedModel>(FusedModel::Make(*weights, dtype, threads));
    const NewReplica new_replica = [model, tokens = options.batch_tokens](int n, const std::vector<int>& cores) {
      return model->NewReplica(n, tokens, cores);
    };
    const absl::StatusOr<ProbeReport> report =
        CheckEncoder(*new_replica(threads, {}), contents.probes, contents.manifest, ToleranceOf(DtypeName(dtype)),
                     EffortOf(options, DtypeName(dtype), WorkPerToken(*weights)));
    if (report.ok()) return Engine{new_replica, model->weight_bytes(), *report};
    refused.push_back(absl::StrCat(DtypeName(dtype), ": ", report.status().message()));
  }
  return std::nullopt;
}

/// Those of replica `i` of `replicas` but the first, which is its worker's.
std::vector<int> CoresOfHelpers(const EngineOptions& options, size_t i, size_t replicas) {
  const auto share = static_cast<ptrdiff_t>(options.cores.size() / replicas);
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
  if (options.engine == EngineChoice::kTorchScript) return MakeTorchScriptEngine(module, contents, options, threads);
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
  return MakeTorchScriptEngine(module, contents, options, threads);
}

/// The model on CUDA devices.
absl::StatusOr<Model> LoadOnCuda(PackageContents contents, const EngineOptions& options) {
  Model model;
  absl::StatusOr<CudaReplicas> made = MakeCudaReplicas(contents, options, model.refused);
  if (!made.ok()) return made.status();
  model.replicas = std::move(made->replicas);
  model.cuda_devices = std::move(made->devices);
  model.weight_bytes = made->weight_bytes;
  model.probes = made->report;
  model.canaries = ChooseCanaries(contents.probes);
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
  const int most = std::max(1, options.max_threads / std::max(1, static_cast<int>(options.replicas)));
  absl::StatusOr<Engine> engine =
      MakeEngine(*contents, options, options.threads > 0 ? options.threads : most, model.refused);
  if (!engine.ok()) return engine.status();
  model.probes = engine->report;
  model.weight_bytes = engine->weight_bytes;
  model.threads = options.threads > 0 ? options.threads : ChooseThreads(engine->new_replica, contents->probes, most);
  const size_t replicas =
      options.replicas > 0 ? options.replicas : static_cast<size_t>(std::max(1, options.max_threads / model.threads));
  for (size_t i = 0; i < replicas; ++i) {
    model.replicas.push_back(engine->new_replica(model.threads, CoresOfHelpers(options, i, replicas)));
    // Or the first caller of each would wait for its memory to be mapped.
    batcher::EncoderOutput output;
    RunShort(*model.replicas.back(), Longest(contents->probes), output);
  }
  model.canaries = ChooseCanaries(contents->probes);
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

bool FellBack(absl::string_view engine, absl::string_view dtype, const std::vector<std::string>& refused) {
  return !refused.empty() && (engine == "torchscript" || dtype != "auto");
}

absl::StatusOr<Model> LoadModel(const std::string& dir, const EngineOptions& options) {
  absl::StatusOr<Model> model = WithoutExceptions([&] { return LoadChecked(dir, options); });
  if (model.ok()) {
    model->fell_back = FellBack(model->replicas.front()->Describe().engine, options.dtype, model->refused);
  }
  return model;
}

absl::StatusOr<std::string> MakeProbes(const std::string& dir, const std::vector<ProbeText>& texts) {
  return WithoutExceptions([&] { return ProbeUnfinished(dir, texts); });
}

}  // namespace bertha::models
