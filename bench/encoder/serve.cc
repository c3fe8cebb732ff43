#include "bench/encoder/serve.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "bench/encoder/logits.h"
#include "bench/encoder/measure.h"
#include "bench/encoder/report.h"
#include "bench/micro/bandwidth.h"
#include "bench/micro/gemm_ceiling.h"

namespace bertha::bench {
namespace {

/// Far beyond what any cache holds.
constexpr size_t kMemoryBytes = size_t{512} << 20;

class Server {
 public:
  explicit Server(const std::vector<Engine>& engines) : engines_(engines) {}

  absl::StatusOr<Json> Answer(const std::string& line) {
    const Json request = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!request.is_object()) return absl::InvalidArgumentError("not a JSON object");
    const double seconds =
        request.contains("seconds") && request["seconds"].is_number() ? request["seconds"].get<double>() : 0;
    if (request.contains("gemm") && request["gemm"].is_string())
      return Gemm(request["gemm"].get<std::string>(), seconds);
    if (request.contains("read")) {
      return Json(
          {{"gb_per_s", static_cast<float>(MeasureBandwidth(kMemoryBytes, engines_[0].choice.threads, seconds).read)}});
    }
    const auto engine = request.find("engine");
    if (engine == request.end() || !engine->is_number_unsigned() || engine->get<uint64_t>() >= engines_.size()) {
      return absl::InvalidArgumentError(absl::StrCat("engine must be a number below ", engines_.size()));
    }
    const Engine& chosen = engines_[engine->get<uint64_t>()];
    if (request.contains("ids")) return LogitsOf(chosen, request["ids"]);
    if (request.contains("lengths")) return Time(chosen, request["lengths"], seconds);
    return absl::InvalidArgumentError("none of lengths, ids, gemm and read");
  }

 private:
  absl::StatusOr<Json> Time(const Engine& engine, const Json& lengths, double seconds) {
    Shape shape;
    if (!lengths.is_array() || lengths.empty()) return absl::InvalidArgumentError("lengths must be a list of numbers");
    const size_t most = engine.encoder->Describe().max_sequence_length;
    for (const Json& length : lengths) {
      if (!length.is_number_unsigned() || length.get<uint64_t>() < 1 || length.get<uint64_t>() > most) {
        return absl::InvalidArgumentError(absl::StrCat("a length must be a number from 1 to ", most));
      }
      shape.lengths.push_back(static_cast<int32_t>(length.get<uint64_t>()));
    }
    const Batch batch = MakeBatch(shape.lengths, engine.tokenizer->vocab_size(), engine.manifest);
    const absl::StatusOr<std::vector<PassTime>> passes = TimePasses(*engine.encoder, batch, seconds);
    if (!passes.ok()) return passes.status();
    Json times = Json::array();
    for (const PassTime& pass : *passes) times.push_back(static_cast<float>(pass.total()));
    Json answer = {{"ms", std::move(times)}, {"operations", nullptr}};
    if (engine.architecture) answer["operations"] = static_cast<float>(Operations(*engine.architecture, shape.lengths));
    return answer;
  }

  absl::StatusOr<Json> LogitsOf(const Engine& engine, const Json& texts) {
    if (!texts.is_array() || texts.empty()) return absl::InvalidArgumentError("ids must be a list of lists");
    std::vector<Sequence> sequences;
    for (const Json& ids : texts) {
      absl::StatusOr<Sequence> sequence = ParseSequence(Json({{"ids", ids}}).dump());
      if (!sequence.ok()) return sequence.status();
      sequences.push_back(*std::move(sequence));
    }
    absl::StatusOr<std::vector<Json>> logits = Logits(engine, sequences);
    if (!logits.ok()) return logits.status();
    return Json({{"logits", *std::move(logits)}});
  }

  absl::StatusOr<Json> Gemm(const std::string& dtype, double seconds) {
    const auto [found, is_new] = ceilings_.try_emplace(dtype);
    if (is_new) found->second = MakeGemmCeilings(dtype, engines_[0].choice.threads);
    if (found->second.empty()) return absl::InvalidArgumentError(absl::StrCat("no ceiling is known for ", dtype));
    double best = 0;
    for (const GemmCeiling& ceiling : found->second) {
      best = std::max(best, ceiling.operations / Median(TimeCalls(ceiling.run, seconds)) / 1e6);
    }
    return Json({{"gflops", static_cast<float>(best)}});
  }

  const std::vector<Engine>& engines_;
  std::map<std::string, std::vector<GemmCeiling>> ceilings_;
};

}  // namespace

void Serve(const std::vector<Engine>& engines, std::istream& in, const std::function<void(const std::string&)>& write) {
  Json ready = {{"ready", true}, {"processor", Processor()}, {"engines", Json::array()}};
  for (const Engine& engine : engines) ready["engines"].push_back(EngineJson(engine));
  write(JsonLine(ready));
  Server server(engines);
  for (std::string line; std::getline(in, line);) {
    const absl::StatusOr<Json> answer = server.Answer(line);
    write(JsonLine(answer.ok() ? *answer : Json({{"error", std::string(answer.status().message())}})));
  }
}

}  // namespace bertha::bench
