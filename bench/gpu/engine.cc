// The two CUDA engines for bench/gpu/run.py, which tells it what to do: one JSON object a line on stdin, one on stdout.
//
//   {"do": "load", "name": N, "package": DIR, "engine": "fused"|"torchscript", "dtype": "bf16", "tanh_for_erf": false,
//    "graph_tokens": 512, "tune": true}                  -> seconds, bytes; what the package's probes say
//   {"do": "time", "name": N, "lengths": [16], "seconds": 0.3}     -> microseconds of Stage + Run, one after the other
//   {"do": "stream", "name": N, "batches": [[...], ...], "seconds": 2, "replicas": 2}  -> tokens/s with the next batch
//                                                           staged while one runs, on each of so many replicas
//   {"do": "unload", "name": N}
// An answer with "error" is that command's failure alone; "lost": true says that no command will succeed any more.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/cuda_engine.h"
#include "models/families/families.h"
#include "models/package_contents.h"
#include "models/torchscript_engine.h"
#include "nlohmann/json.hpp"

namespace bertha {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

double Since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct Loaded {
  models::Manifest manifest;
  models::CudaEngine::Model model;
  std::vector<std::unique_ptr<batcher::Encoder>> replicas;
};

/// Texts of these lengths with ids that every model here has.
struct Batch {
  explicit Batch(const std::vector<int>& lengths) {
    std::minstd_rand random(static_cast<unsigned>(lengths.size()));
    for (const int length : lengths) {
      for (int i = 0; i < length; ++i) ids.push_back(static_cast<int32_t>(100 + random() % 5000));
      cu_seqlens.push_back(static_cast<int32_t>(ids.size()));
    }
    type_ids.assign(ids.size(), 0);
  }
  batcher::PackedBatch packed() const { return {ids, type_ids, cu_seqlens}; }
  std::vector<int32_t> ids, type_ids, cu_seqlens = {0};
};

class Engines {
 public:
  absl::StatusOr<Json> Do(const Json& command) {
    const std::string what = command.at("do"), name = command.at("name");
    if (what == "load") return Load(name, command);
    const auto found = loaded_.find(name);
    if (found == loaded_.end()) return absl::NotFoundError(absl::StrCat("nothing is loaded as ", name));
    if (what == "time") return Time(found->second, command);
    if (what == "stream") return Stream(found->second, command);
    if (what != "unload") return absl::InvalidArgumentError(absl::StrCat("unknown command ", what));
    loaded_.erase(found);
    return Json::object();
  }

 private:
  absl::StatusOr<Json> Load(const std::string& name, const Json& command) {
    const bool fused = command.at("engine") == "fused";
    absl::StatusOr<models::CudaEngine> engine =
        models::CudaEngine::Open(fused ? models::kFusedCudaLibrary : models::kTorchCudaLibrary);
    if (!engine.ok()) return engine.status();
    absl::StatusOr<models::PackageContents> contents = models::ReadPackage(command.at("package"));
    if (!contents.ok()) return contents.status();
    auto file = contents->files.OpenFile(models::kModuleFile);
    if (!file.ok()) return file.status();
    const auto begin = Clock::now();
    absl::StatusOr<models::CudaEngine::Model> model =
        fused ? Fused(*engine, *std::move(file), contents->manifest, command)
              : TorchScript(*engine, **file, contents->manifest);
    if (!model.ok()) return model.status();
    Loaded loaded = {.manifest = contents->manifest, .model = *std::move(model)};
    if (absl::Status status = Grow(loaded, 1); !status.ok()) return status;
    Json answer = {{"load_seconds", Since(begin)},
                   {"weight_bytes", loaded.model.weight_bytes()},
                   {"device", engine->devices()[0].name},
                   {"dtype", loaded.replicas[0]->Describe().dtype}};
    absl::StatusOr<Json> probes = Probe(*loaded.replicas[0], contents->manifest, contents->probes);
    if (!probes.ok()) return probes.status();
    answer["probes"] = *probes;
    loaded_.insert_or_assign(name, std::move(loaded));
    return answer;
  }

  static absl::StatusOr<models::CudaEngine::Model> Fused(const models::CudaEngine& engine,
                                                         std::shared_ptr<const models::PackageFile> file,
                                                         const models::Manifest& manifest, const Json& command) {
    absl::StatusOr<models::TorchScriptModule> module = models::TorchScriptModule::Load(std::move(file), manifest);
    if (!module.ok()) return module.status();
    absl::StatusOr<models::EncoderWeights> weights = models::BuildEncoder(module->LiftWeights(), manifest);
    if (!weights.ok()) return weights.status();
    const std::string dtype = command.value("dtype", "bf16");
    models::CudaModelOptions options;
    options.dtype = dtype == "fp32"   ? models::CudaDtype::kFp32
                    : dtype == "fp16" ? models::CudaDtype::kFp16
                                      : models::CudaDtype::kBf16;
    options.tanh_for_erf = command.value("tanh_for_erf", false);
    options.graph_tokens = command.value("graph_tokens", options.graph_tokens);
    options.max_tokens = command.value("max_tokens", options.max_tokens);
    options.tune = command.value("tune", true);
    return engine.NewModel({.weights = &*weights}, options, models::DescribeFused(*weights));
  }

  static absl::StatusOr<models::CudaEngine::Model> TorchScript(const models::CudaEngine& engine,
                                                               const models::PackageFile& file,
                                                               const models::Manifest& manifest) {
    std::vector<std::byte> bytes(file.size());
    if (file.ReadAt(0, bytes.data(), bytes.size()) != bytes.size()) return absl::DataLossError("model.pt is short");
    const models::CudaModule module = {.file = bytes,
                                       .takes_type_ids = manifest.takes_type_ids,
                                       .padding_id = manifest.padding.id,
                                       .padding_type_id = manifest.padding.type_id,
                                       .pads_left = manifest.padding.left,
                                       .row_per_token = manifest.row_per_token(),
                                       .output_width = manifest.output_width(),
                                       .max_length = manifest.max_length};
    return engine.NewModel({.module = &module}, {},
                           {.engine = "torchscript",
                            .max_sequence_length = manifest.max_length,
                            .output_width = manifest.output_width(),
                            .row_per_token = manifest.row_per_token(),
                            .pads = true});
  }

  static absl::Status Grow(Loaded& loaded, size_t replicas) {
    while (loaded.replicas.size() < replicas) {
      auto replica = loaded.model.NewReplica();
      if (!replica.ok()) return replica.status();
      loaded.replicas.push_back(*std::move(replica));
    }
    return absl::OkStatus();
  }

  /// The package's golden answers, each text alone, three times (the second becomes a graph, the third runs it), and
  /// all in one batch; labels that differ where the margin is more than twice the largest difference would be wrong
  /// ones.
  static absl::StatusOr<Json> Probe(batcher::Encoder& encoder, const models::Manifest& manifest,
                                    const std::vector<models::Probe>& probes) {
    double largest = 0, sum = 0;
    size_t numbers = 0, rows = 0, wrong = 0;
    auto compare = [&](std::span<const float> values, const std::vector<float>& expected) {
      const size_t width = manifest.output_width();
      for (size_t i = 0; i < expected.size(); ++i) {
        const double difference = std::fabs(values[i] - expected[i]);
        largest = std::isnan(difference) ? INFINITY : std::max(largest, difference);
        sum += difference;
        ++numbers;
      }
      for (size_t row = 0; row + width <= expected.size(); row += width, ++rows) {
        const auto best = [&](auto begin) { return std::max_element(begin, begin + width) - begin; };
        wrong += best(values.data() + row) != best(expected.data() + row);
      }
    };
    batcher::EncoderOutput output;
    Batch all({});
    std::vector<float> all_expected;
    for (const models::Probe& probe : probes) {
      const std::vector<int32_t> cu_seqlens = {0, static_cast<int32_t>(probe.ids.size())};
      for (int i = 0; i < 3; ++i) {
        if (absl::Status s = encoder.Stage({probe.ids, probe.type_ids, cu_seqlens}, i % 2); !s.ok()) return s;
        if (absl::Status s = encoder.Run(i % 2, output); !s.ok()) return s;
        if (output.values.size() != probe.logits.size()) return absl::InternalError("another number of outputs");
        compare(output.values, probe.logits);
      }
      all.ids.insert(all.ids.end(), probe.ids.begin(), probe.ids.end());
      all.type_ids.insert(all.type_ids.end(), probe.type_ids.begin(), probe.type_ids.end());
      all.cu_seqlens.push_back(static_cast<int32_t>(all.ids.size()));
      all_expected.insert(all_expected.end(), probe.logits.begin(), probe.logits.end());
    }
    if (absl::Status s = encoder.Stage(all.packed(), 0); !s.ok()) return s;
    if (absl::Status s = encoder.Run(0, output); !s.ok()) return s;
    if (output.values.size() != all_expected.size()) return absl::InternalError("another number of outputs");
    compare(output.values, all_expected);
    return Json{{"max_abs_diff", largest},
                {"mean_abs_diff", sum / static_cast<double>(std::max<size_t>(numbers, 1))},
                {"rows", rows},
                {"other_labels", wrong}};
  }

  static absl::StatusOr<Json> Time(Loaded& loaded, const Json& command) {
    const Batch batch(command.at("lengths").get<std::vector<int>>());
    batcher::EncoderOutput output;
    std::vector<double> times;
    const auto begin = Clock::now();
    while (times.size() < 10 || Since(begin) < command.value("seconds", 0.3)) {
      const auto start = Clock::now();
      if (absl::Status s = loaded.replicas[0]->Stage(batch.packed(), 0); !s.ok()) return s;
      if (absl::Status s = loaded.replicas[0]->Run(0, output); !s.ok()) return s;
      times.push_back(Since(start) * 1e6);
      if (times.size() > 100000) break;
    }
    std::ranges::sort(times);
    auto quantile = [&](double q) { return times[static_cast<size_t>(q * static_cast<double>(times.size() - 1))]; };
    return Json{{"runs", times.size()},
                {"min_us", times[0]},
                {"median_us", quantile(0.5)},
                {"p90_us", quantile(0.9)},
                {"tokens", batch.ids.size()}};
  }

  static absl::StatusOr<Json> Stream(Loaded& loaded, const Json& command) {
    const auto replicas = command.value("replicas", size_t{1});
    if (absl::Status status = Grow(loaded, replicas); !status.ok()) return status;
    std::vector<Batch> batches;
    for (const Json& lengths : command.at("batches")) batches.emplace_back(lengths.get<std::vector<int>>());
    const double seconds = command.value("seconds", 2.0);
    std::vector<absl::Status> statuses(replicas);
    std::vector<size_t> tokens(replicas);
    std::vector<std::thread> workers;
    const auto begin = Clock::now();
    for (size_t r = 0; r < replicas; ++r) {
      workers.emplace_back([&, r] { statuses[r] = Pipeline(*loaded.replicas[r], batches, begin, seconds, tokens[r]); });
    }
    for (std::thread& worker : workers) worker.join();
    const double took = Since(begin);
    size_t sum = 0;
    for (size_t r = 0; r < replicas; ++r) {
      if (!statuses[r].ok()) return statuses[r];
      sum += tokens[r];
    }
    return Json{{"seconds", took}, {"tokens", sum}, {"tokens_per_second", static_cast<double>(sum) / took}};
  }

  /// Runs batches in turn; the next one is staged by another thread meanwhile, as the dispatcher does.
  static absl::Status Pipeline(batcher::Encoder& encoder, const std::vector<Batch>& batches, Clock::time_point begin,
                               double seconds, size_t& tokens) {
    constexpr int kReady = 1, kStop = 2;
    std::atomic<int> state[batcher::Encoder::kSlots] = {};
    absl::Status staging = absl::OkStatus();
    std::thread stager([&] {
      for (size_t i = 0;; ++i) {
        std::atomic<int>& slot = state[i % 2];
        slot.wait(kReady);
        if (slot == kStop) return;
        staging = encoder.Stage(batches[i % batches.size()].packed(), static_cast<int>(i % 2));
        int free = 0;
        if (!slot.compare_exchange_strong(free, staging.ok() ? kReady : kStop)) return;
        slot.notify_all();
        if (!staging.ok()) return;
      }
    });
    batcher::EncoderOutput output;
    absl::Status status = absl::OkStatus();
    for (size_t i = 0; status.ok() && Since(begin) < seconds; ++i) {
      std::atomic<int>& slot = state[i % 2];
      slot.wait(0);
      if (slot == kStop) break;
      status = encoder.Run(static_cast<int>(i % 2), output);
      tokens += batches[i % batches.size()].ids.size();
      slot = 0;
      slot.notify_all();
    }
    for (std::atomic<int>& slot : state) {
      slot = kStop;
      slot.notify_all();
    }
    stager.join();
    return status.ok() ? staging : status;
  }

  std::map<std::string, Loaded> loaded_;
};

Json Answer(Engines& engines, const std::string& line) {
  try {
    absl::StatusOr<Json> answer = engines.Do(Json::parse(line));
    if (answer.ok()) return *answer;
    return {{"error", std::string(answer.status().message())}, {"lost", models::IsDeviceLost(answer.status())}};
  } catch (const std::exception& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace
}  // namespace bertha

int main() {
  bertha::Engines engines;
  for (std::string line; std::getline(std::cin, line);) std::cout << bertha::Answer(engines, line).dump() << std::endl;
}
