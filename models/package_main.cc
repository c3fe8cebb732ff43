// bertha-package: checks, seals and completes model packages without a daemon. Users call it as `bertha package`.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/checksums.h"
#include "models/model.h"
#include "models/package_files.h"
#include "models/probes.h"

namespace {

constexpr int kFailed = 1;

int Report(const std::string& dir, const absl::Status& status) {
  std::fprintf(stderr, "%s: %s\n", dir.c_str(), std::string(status.message()).c_str());
  return kFailed;
}

/// A package may not be a link, but its name on the command line may be one to it.
std::string Resolved(const std::string& dir) {
  std::error_code error;
  const std::filesystem::path target = std::filesystem::canonical(dir, error);
  return error ? dir : target.string();
}

/// One line: what the fused engine makes of the package in a numeric type, here.
void PrintFused(const std::string& dir, const std::string& dtype) {
  const absl::StatusOr<bertha::models::Model> model =
      bertha::models::LoadModel(dir, {.engine = bertha::models::EngineChoice::kFused, .dtype = dtype});
  if (!model.ok() || model->replicas[0]->Describe().dtype != dtype) {
    const std::string reason = model.ok() ? model->refused[0] : std::string(model.status().message());
    std::printf("  fused %s: not here: %s\n", dtype.c_str(), reason.c_str());
    return;
  }
  const bertha::models::ProbeReport& report = model->probes;
  std::printf("  fused %s: agrees within %.1e (mean %.1e; probabilities %.1e), %zu of %zu decisions differ, %.1f MB\n",
              dtype.c_str(), report.max_abs_diff, report.mean_abs_diff, report.max_probability_diff, report.flips,
              report.decisions, static_cast<double>(model->weight_bytes) / 1e6);
}

int Verify(const std::string& dir) {
  const std::string package = Resolved(dir);
  absl::StatusOr<bertha::models::Model> model =
      bertha::models::LoadModel(package, {.engine = bertha::models::EngineChoice::kTorchScript});
  if (!model.ok()) return Report(dir, model.status());
  const bertha::models::Manifest& manifest = model->manifest;
  std::printf("%s: OK (%s, %s, %zu numbers for each %s, max_length %zu; %zu probes agree within %.1e)\n", dir.c_str(),
              manifest.family.c_str(), std::string(TaskName(manifest.task)).c_str(), manifest.output_width(),
              manifest.row_per_token() ? "token" : "text", manifest.max_length, model->probes.count,
              model->probes.max_abs_diff);
  if (!manifest.encoder) return 0;
  for (const char* dtype : {"fp32", "bf16", "int8"}) PrintFused(package, dtype);
  return 0;
}

int CheckSums(const std::string& models_dir) {
  const absl::StatusOr<std::vector<std::string>> packages = bertha::models::VerifyAllSums(models_dir);
  if (!packages.ok()) {
    std::fprintf(stderr, "%s\n", std::string(packages.status().message()).c_str());
    return kFailed;
  }
  for (const std::string& package : *packages) std::printf("%s: the sums are right\n", package.c_str());
  return 0;
}

int Seal(const std::string& dir) {
  if (absl::Status status = bertha::models::SealSums(Resolved(dir)); !status.ok()) return Report(dir, status);
  std::printf("%s: sealed; check it with: bertha package verify %s\n", dir.c_str(), dir.c_str());
  return 0;
}

/// A text for each line; what stands behind a tab is its pair.
absl::StatusOr<std::vector<bertha::models::ProbeText>> ReadTexts(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  std::vector<bertha::models::ProbeText> texts;
  for (std::string line; std::getline(file, line);) {
    if (line.ends_with('\r')) line.pop_back();
    const size_t tab = line.find('\t');
    texts.push_back({line.substr(0, tab), std::nullopt});
    if (tab != std::string::npos) texts.back().text_pair = line.substr(tab + 1);
  }
  if (file.bad()) return absl::DataLossError(absl::StrCat(path, ": reading failed"));
  return texts;
}

int MakeProbes(const std::string& dir, const std::string& texts_path) {
  using bertha::models::kProbesFile;
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(dir + "/" + kProbesFile, error))) {
    return Report(dir,
                  absl::AlreadyExistsError(absl::StrCat(
                      kProbesFile, ": is there already; an exporter's are worth more than what this would write")));
  }
  const auto texts = ReadTexts(texts_path);
  if (!texts.ok()) return Report(dir, texts.status());
  absl::StatusOr<std::string> probes = bertha::models::MakeProbes(Resolved(dir), *texts);
  if (!probes.ok()) return Report(dir, probes.status());
  const absl::Status status = bertha::models::ReplaceFile(Resolved(dir), kProbesFile, *probes);
  if (!status.ok()) return Report(dir, status);
  std::printf(
      "%s: %s has %zu probes now, with the ids and logits that this program computed.\n"
      "They prove that the files are read the same way later; that they are read as where the model comes from, only\n"
      "probes from there can prove. Next: bertha package seal %s\n",
      dir.c_str(), kProbesFile, texts->size(), dir.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Checks, seals and completes model packages; no daemon is needed.\n"
      "Example: bertha package verify demo/models/sentiment-bert/1");
  app.name("bertha package");
  app.require_subcommand(1);
  std::string dir;
  int result = 0;
  CLI::App* verify = app.add_subcommand("verify",
                                        "Check sums, manifest, tokenizer and the probes' logits, by TorchScript and by "
                                        "the fused engine in each numeric type");
  verify->add_option("DIR", dir, "The package: a directory with bertha.json")->required();
  verify->callback([&] { result = Verify(dir); });
  CLI::App* sums = app.add_subcommand(
      "sums", "Check the sums of every package in a model directory, and nothing else: no model is run");
  sums->add_option("DIR", dir, "The model directory: <name>/<version>/ with packages")->required();
  sums->callback([&] { result = CheckSums(dir); });
  CLI::App* seal = app.add_subcommand("seal", "Write SHA256SUMS over all files of a package made by hand");
  seal->add_option("DIR", dir, "The package: a directory with bertha.json")->required();
  seal->callback([&] { result = Seal(dir); });
  std::string texts;
  CLI::App* probe = app.add_subcommand(
      "probe", "Write probes.json for a package made by hand, by running its module over the lines of a file");
  probe->add_option("DIR", dir, "The package: a directory with bertha.json, model.pt and tokenizer.json")->required();
  probe->add_option("--texts", texts, "A text on each line, a pair with a tab between; 1 to 1000, of many lengths")
      ->required();
  probe->callback([&] { result = MakeProbes(dir, texts); });
  app.footer(
      "Exit codes: 0 the package is good (of sums: all are), 1 it is not (one line on stderr says which file and why), "
      "2 usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return result;
}
