// bertha-package: checks and seals model packages without a daemon. Users call it as `bertha package`.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "models/checksums.h"
#include "models/model.h"

namespace {

constexpr int kFailed = 1;

int Report(const std::string& dir, const absl::Status& status) {
  std::fprintf(stderr, "%s: %s\n", dir.c_str(), std::string(status.message()).c_str());
  return kFailed;
}

int Verify(const std::string& dir) {
  absl::StatusOr<bertha::models::Model> model = bertha::models::LoadModel(dir, {});
  if (!model.ok()) return Report(dir, model.status());
  const bertha::models::Manifest& manifest = model->manifest;
  std::printf("%s: OK (%s, %s, %zu numbers for each %s, max_length %zu; %zu probes agree within %.1e)\n", dir.c_str(),
              manifest.family.c_str(), std::string(TaskName(manifest.task)).c_str(), manifest.output_width(),
              manifest.row_per_token() ? "token" : "text", manifest.max_length, model->probes.count,
              model->probes.max_abs_diff);
  return 0;
}

int Seal(const std::string& dir) {
  if (absl::Status status = bertha::models::SealSums(dir); !status.ok()) return Report(dir, status);
  std::printf("%s: sealed; check it with: bertha package verify %s\n", dir.c_str(), dir.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Checks and seals model packages; no daemon is needed.\n"
      "Example: bertha package verify demo/models/sentiment-bert/1");
  app.name("bertha package");
  app.require_subcommand(1);
  std::string dir;
  int result = 0;
  CLI::App* verify = app.add_subcommand(
      "verify", "Check sums, manifest, tokenizer and the probes' logits, as the daemon does when it loads a package");
  verify->add_option("DIR", dir, "The package: a directory with bertha.json")->required();
  verify->callback([&] { result = Verify(dir); });
  CLI::App* seal = app.add_subcommand("seal", "Write SHA256SUMS over all files of a package made by hand");
  seal->add_option("DIR", dir, "The package: a directory with bertha.json")->required();
  seal->callback([&] { result = Seal(dir); });
  app.footer("Exit codes: 0 the package is good, 1 it is not (one line on stderr says which file and why), 2 usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return result;
}
