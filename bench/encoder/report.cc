#include "bench/encoder/report.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "models/kernels/cpu/instruction_set.h"

namespace bertha::bench {
namespace {

float Number(double value) { return static_cast<float>(value); }

Json SummaryJson(const Summary& s) {
  return {{"median", Number(s.median)},
          {"min", Number(s.min)},
          {"p10", Number(s.p10)},
          {"p90", Number(s.p90)},
          {"p99", Number(s.p99)}};
}

double BusyRatio(const EngineResult& result) { return result.busy->p99 / result.passes.median; }

Json ResultJson(const ShapeResult& shape, const EngineResult& result, const Engine& engine) {
  Json json = {{"engine", NameOf(engine.choice)},
               {"passes", result.passes.count},
               {"ms", SummaryJson(result.passes)},
               {"stage_ms", Number(result.stage.median)},
               {"run_ms", Number(result.run.median)},
               {"tokens_per_s", Number(result.tokens_per_second(shape.shape))},
               {"speedup",
                {{"median", Number(result.speedup.median)},
                 {"low", Number(result.speedup.min)},
                 {"high", Number(result.speedup.p99)}}}};
  const std::optional<double> gflops = result.gflops();
  const CeilingResult* ceiling = shape.CeilingOf(engine.choice);
  json["operations"] = result.operations ? Json(Number(*result.operations)) : Json();
  json["gflops"] = gflops ? Json(Number(*gflops)) : Json();
  json["of_ceiling"] = gflops && ceiling ? Json(Number(*gflops / ceiling->gflops())) : Json();
  if (result.busy) {
    json["busy"] = {{"passes", result.busy->count},
                    {"ms", SummaryJson(*result.busy)},
                    {"p99_by_quiet_median", Number(BusyRatio(result))},
                    {"limit", Number(kNeighbourLimit)}};
  }
  Json steps = Json::object();
  for (const auto& [step, milliseconds] : result.steps) steps[step] = Number(milliseconds);
  json["steps_ms"] = std::move(steps);
  return json;
}

std::string EngineLine(const Engine& engine) {
  return absl::StrFormat("  %-18s %s, %d thread%s, loaded in %.2f s, weights %.1f MB, resident %.1f MB%s\n",
                         NameOf(engine.choice), engine.choice.device, engine.choice.threads,
                         engine.choice.threads == 1 ? "" : "s", engine.load_seconds,
                         static_cast<double>(engine.weight_bytes) / 1e6, engine.resident_bytes / 1e6,
                         engine.encoder->Describe().pads ? ", pads" : "");
}

std::string ShapeLine(const ShapeResult& shape) {
  std::string line = absl::StrFormat("\n%s: %d sequence%s, %d tokens", shape.shape.name, shape.shape.lengths.size(),
                                     shape.shape.lengths.size() == 1 ? "" : "s", shape.shape.tokens());
  if (shape.shape.padded_tokens() != shape.shape.tokens()) {
    absl::StrAppendFormat(&line, " (%d padded)", shape.shape.padded_tokens());
  }
  for (const CeilingResult& c : shape.ceilings) {
    absl::StrAppendFormat(&line, "; GEMM %s %s %.0f", c.dtype, c.by, c.gflops());
  }
  return line + (shape.ceilings.empty() ? "\n" : " GFLOP/s\n");
}

std::string ResultLine(const ShapeResult& shape, const EngineResult& result, const Engine& engine) {
  const Summary& passes = result.passes;
  std::string line = absl::StrFormat("  %-18s %9.2f %9.2f %9.2f %9.2f %9.0f", NameOf(engine.choice), passes.median,
                                     passes.min, passes.p10, passes.p90, result.tokens_per_second(shape.shape));
  const std::optional<double> gflops = result.gflops();
  const CeilingResult* ceiling = shape.CeilingOf(engine.choice);
  absl::StrAppendFormat(&line, " %9s", gflops ? absl::StrFormat("%.1f", *gflops) : "-");
  absl::StrAppendFormat(&line, " %8s",
                        gflops && ceiling ? absl::StrFormat("%.0f%%", 100 * *gflops / ceiling->gflops()) : "-");
  absl::StrAppendFormat(&line, " %7.2f x (%.2f to %.2f)\n", result.speedup.median, result.speedup.min,
                        result.speedup.p99);
  if (result.busy) {
    absl::StrAppendFormat(
        &line,
        "    beside a busy neighbour: median %.2f, p99 %.2f of %d passes: %.2f x the quiet median, at most %g: %s\n",
        result.busy->median, result.busy->p99, result.busy->count, BusyRatio(result), kNeighbourLimit,
        BusyRatio(result) <= kNeighbourLimit ? "ok" : "TOO SLOW");
  }
  if (!result.steps.empty()) {
    absl::StrAppend(&line, "    ms by step: ",
                    absl::StrJoin(result.steps, ", ",
                                  [](std::string* out, const auto& step) {
                                    absl::StrAppendFormat(out, "%s %.2f", step.first, step.second);
                                  }),
                    "\n");
  }
  return line;
}

}  // namespace

std::string ReportTable(const Report& report, const std::vector<Engine>& engines) {
  std::string table = absl::StrCat(report.package, " on ", Processor(), " with ", models::InstructionSetName(), "\n");
  for (const Engine& engine : engines) absl::StrAppend(&table, EngineLine(engine));
  absl::StrAppendFormat(&table, "milliseconds of %d rounds in turns; speed-up: by %s\n", report.plan.rounds,
                        NameOf(engines[0].choice));
  absl::StrAppendFormat(&table, "\n  %-18s %9s %9s %9s %9s %9s %9s %8s %9s\n", "engine", "median", "min", "p10", "p90",
                        "tokens/s", "GFLOP/s", "of GEMM", "speed-up");
  for (const ShapeResult& shape : report.shapes) {
    absl::StrAppend(&table, ShapeLine(shape));
    for (size_t i = 0; i < engines.size(); ++i)
      absl::StrAppend(&table, ResultLine(shape, shape.engines[i], engines[i]));
  }
  return table;
}

Json EngineJson(const Engine& engine) {
  return {{"engine", engine.choice.engine},
          {"dtype", engine.choice.dtype},
          {"device", engine.choice.device},
          {"threads", engine.choice.threads},
          {"isa", models::InstructionSetName()},
          {"pads", engine.encoder->Describe().pads},
          {"load_s", Number(engine.load_seconds)},
          {"weight_bytes", engine.weight_bytes},
          {"resident_bytes", static_cast<int64_t>(engine.resident_bytes)}};
}

Json ReportJson(const Report& report, const std::vector<Engine>& engines) {
  Json json = {{"package", report.package},
               {"processor", Processor()},
               {"rounds", report.plan.rounds},
               {"seconds", Number(report.plan.seconds)},
               {"neighbours", report.plan.neighbours},
               {"engines", Json::array()},
               {"shapes", Json::array()}};
  for (const Engine& engine : engines) json["engines"].push_back(EngineJson(engine));
  for (const ShapeResult& shape : report.shapes) {
    Json entry = {{"shape", shape.shape.name},      {"lengths", shape.shape.lengths},
                  {"tokens", shape.shape.tokens()}, {"padded_tokens", shape.shape.padded_tokens()},
                  {"gemm", Json::array()},          {"results", Json::array()}};
    for (const CeilingResult& c : shape.ceilings) {
      entry["gemm"].push_back({{"dtype", c.dtype},
                               {"by", c.by},
                               {"threads", c.threads},
                               {"gflops", Number(c.gflops())},
                               {"best_gflops", Number(c.best_gflops())}});
    }
    for (size_t i = 0; i < engines.size(); ++i) {
      entry["results"].push_back(ResultJson(shape, shape.engines[i], engines[i]));
    }
    json["shapes"].push_back(std::move(entry));
  }
  return json;
}

std::string JsonLine(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string Processor() {
  constexpr absl::string_view kTelling[] = {"avx2", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"};
  std::string model = "an unknown processor";
  std::vector<absl::string_view> has;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {  // the first processor
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(": ", 1));
    if (parts.size() != 2) continue;
    if (absl::StartsWith(line, "model name")) model = parts[1];
    if (!absl::StartsWith(line, "flags")) continue;
    const std::vector<std::string> flags = absl::StrSplit(parts[1], ' ');
    for (const absl::string_view name : kTelling) {
      if (std::ranges::find(flags, name) != flags.end()) has.push_back(name);
    }
  }
  return has.empty() ? model : absl::StrCat(model, " (", absl::StrJoin(has, " "), ")");
}

}  // namespace bertha::bench
