// bench_encoder: how fast are the encoder engines on a package, and what do they answer? docs/encoder.md says how to
// measure with it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/encoder/engines.h"
#include "bench/encoder/instruction_limit.h"
#include "bench/encoder/logits.h"
#include "bench/encoder/measure.h"
#include "bench/encoder/report.h"
#include "bench/encoder/serve.h"
#include "server/cores.h"

namespace bertha::bench {
namespace {

struct Options {
  std::string package;
  std::vector<std::string> engines = {"torchscript"};
  /// Its engine is not used.
  EngineChoice rest = {.threads = server::AvailableCores()};
  std::string isa = "auto";
  std::vector<std::string> shapes;
  std::string lengths, text, ids;
  Plan plan;
  size_t batch = 1;
  bool serve = false;
  bool json = false;
};

constexpr char kExamples[] = R"(examples:
  bench_encoder --package demo/models/sentiment-bert/1
  bench_encoder --package DIR --engine torchscript:fp32,fused:bf16,fused:int8 --shapes 1x16,8x128
      in turns; speed-ups are by the first engine
  bench_encoder --package DIR --engine fused:bf16 --shapes 1x16 --neighbour 1 --seconds 10
      its slow passes beside a busy thread
  echo '{"ids": [101, 7592, 102]}' | bench_encoder --package DIR --ids - --json
      its logits, for a comparison with Python

exit status: 0 done, 1 it failed (one line says why), else wrong usage)";

void Declare(CLI::App& app, Options& options) {
  app.footer(kExamples);
  app.get_formatter()->column_width(30);
  const auto count = CLI::Range(1, 1 << 20);
  app.add_option("--package", options.package, "Package, such as models/NAME/1")->required()->option_text("DIR");
  app.add_option("--engine", options.engines, "torchscript (default), fused, or auto: as the daemon chooses")
      ->delimiter(',')
      ->option_text("NAME[:DTYPE],...");
  app.add_option("--dtype", options.rest.dtype, "fp32, bf16, int8 or auto, of engines without one (default: auto)")
      ->option_text("DTYPE");
  app.add_option("--threads", options.rest.threads,
                 "Of a forward pass; 0: one or all, as the daemon chooses (default: all cores it may use)")
      ->check(CLI::Range(0, 4096))
      ->option_text("N");
  app.add_option("--device", options.rest.device, "cpu, cuda or cuda:1 (default: cpu)")->option_text("DEVICE");
  app.add_option("--isa", options.isa,
                 "Nothing above baseline, avx2, avx512, avx512_bf16 or amx (default: auto, all there is)")
      ->option_text("LEVEL");

  auto* shapes = app.add_option("--shapes", options.shapes, "Sequences x tokens (default: 1x16,1x128,8x128)")
                     ->delimiter(',')
                     ->option_text("NxT,...");
  auto* lengths = app.add_option("--lengths", options.lengths, "A batch a line: its lengths with spaces between")
                      ->option_text("FILE");
  auto* text =
      app.add_option("--text", options.text, "A sequence as long as this text is in tokens")->option_text("TEXT");
  app.add_option("--seconds", options.plan.seconds, "For each engine with each shape (default: 2)")
      ->check(CLI::Range(0.0, 1e6))
      ->option_text("S");
  app.add_option("--rounds", options.plan.rounds, "Turns in that time, at least one pass each (default: 7)")
      ->check(count)
      ->option_text("N");
  app.add_option("--neighbour", options.plan.neighbours, "Measure beside so many busy threads too (default: 0)")
      ->check(CLI::Range(0, 4096))
      ->option_text("N");

  auto* ids = app.add_option("--ids", options.ids,
                             "Print logits instead: of lines {\"ids\": [...], \"type_ids\": [...]}; -: standard input")
                  ->option_text("FILE");
  app.add_option("--batch", options.batch, "Lines of --ids in one pass (default: 1)")->check(count)->option_text("N");
  auto* serve = app.add_flag("--serve", options.serve, "Measure what standard input asks for (bench/encoder/serve.h)")
                    ->option_text(" ");
  app.add_flag("--json", options.json, "One JSON object; with --ids one a line");
  for (CLI::Option* option : {shapes, lengths, text}) {
    ids->excludes(option);
    serve->excludes(option);
  }
  serve->excludes(ids);
}

absl::StatusOr<std::vector<Engine>> LoadEngines(const Options& options) {
  std::vector<EngineChoice> choices;
  for (const std::string& text : options.engines) {
    absl::StatusOr<EngineChoice> choice = ParseEngine(text, options.rest);
    if (!choice.ok()) return choice.status();
    choices.push_back(*std::move(choice));
  }
  std::optional<Architecture> architecture;
  if (options.ids.empty()) architecture = ReadArchitecture(options.package);
  std::vector<Engine> engines;
  for (const EngineChoice& choice : choices) {
    absl::StatusOr<Engine> engine = LoadEngine(options.package, choice);
    if (!engine.ok()) return engine.status();
    engine->architecture = architecture;
    engines.push_back(*std::move(engine));
  }
  return engines;
}

absl::StatusOr<Shape> ShapeOf(const std::string& text, const Engine& engine) {
  tokenizer::Scratch scratch;
  tokenizer::Encoding encoding;
  const absl::Status status =
      engine.tokenizer->Encode(text, std::nullopt, {.max_length = engine.manifest.max_length}, scratch, encoding);
  if (!status.ok()) return status;
  return Shape{"text", {static_cast<int32_t>(encoding.ids.size())}};
}

absl::StatusOr<std::vector<Shape>> ShapesOf(const Options& options, const Engine& engine) {
  std::vector<Shape> shapes;
  std::vector<std::string> wanted = options.shapes;
  if (wanted.empty() && options.lengths.empty() && options.text.empty()) wanted = {"1x16", "1x128", "8x128"};
  for (const std::string& text : wanted) {
    absl::StatusOr<Shape> shape = ParseShape(text);
    if (!shape.ok()) return shape.status();
    shapes.push_back(*std::move(shape));
  }
  if (!options.lengths.empty()) {
    absl::StatusOr<std::vector<Shape>> read = ReadLengths(options.lengths);
    if (!read.ok()) return read.status();
    shapes.insert(shapes.end(), read->begin(), read->end());
  }
  if (!options.text.empty()) {
    absl::StatusOr<Shape> shape = ShapeOf(options.text, engine);
    if (!shape.ok()) return shape.status();
    shapes.push_back(*std::move(shape));
  }
  return shapes;
}

/// One line that is written over, where somebody watches; empty: it goes.
void Progress(const std::string& line) {
  static const bool watched = isatty(STDERR_FILENO);
  if (watched) std::cerr << (line.empty() ? "\r\033[K" : absl::StrCat("\r\033[K", line)) << std::flush;
}

void Write(const std::string& text) { std::cout << text << std::flush; }

absl::Status RunMeasurement(const Options& options, std::vector<Engine>& engines) {
  Report report = {options.package, options.plan, {}};
  absl::StatusOr<std::vector<Shape>> shapes = ShapesOf(options, engines[0]);
  if (!shapes.ok()) return shapes.status();
  report.plan.shapes = *std::move(shapes);
  for (Engine& engine : engines) {
    Progress(absl::StrCat("warming up ", NameOf(engine.choice)));
    if (absl::Status status = WarmUp(engine, report.plan.shapes); !status.ok()) return status;
  }
  absl::StatusOr<std::vector<ShapeResult>> results = Measure(engines, report.plan, Progress);
  if (!results.ok()) return results.status();
  report.shapes = *std::move(results);
  Progress("");
  Write(options.json ? JsonLine(ReportJson(report, engines)) : ReportTable(report, engines));
  return absl::OkStatus();
}

absl::Status RunIds(const Options& options, const std::vector<Engine>& engines) {
  std::ifstream file;
  if (options.ids != "-") file.open(options.ids);
  if (!file) return absl::NotFoundError(absl::StrCat(options.ids, ": cannot be read"));
  AnswerLines(engines, options.ids == "-" ? std::cin : file, options.batch, options.json, Write);
  return absl::OkStatus();
}

absl::Status Run(const Options& options) {
  Progress("loading");
  absl::StatusOr<std::vector<Engine>> engines = LoadEngines(options);
  Progress("");
  if (!engines.ok()) return engines.status();
  if (!options.ids.empty()) return RunIds(options, *engines);
  if (options.serve) {
    Serve(*engines, std::cin, Write);
    return absl::OkStatus();
  }
  return RunMeasurement(options, *engines);
}

}  // namespace
}  // namespace bertha::bench

int main(int argc, char** argv) {
  bertha::bench::Options options;
  CLI::App app(
      "Times encoder engines on a package, in turns, beside what matrix products give; or prints their logits");
  bertha::bench::Declare(app, options);
  CLI11_PARSE(app, argc, argv);
  absl::Status status = bertha::bench::LimitInstructions(options.isa, argv);
  if (status.ok()) status = bertha::bench::Run(options);
  if (!status.ok()) {
    bertha::bench::Progress("");
    std::cerr << "bench_encoder: " << status.message() << "\n";
    return 1;
  }
  return 0;
}
