#include "clients/cli/option_parts.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "clients/cli/text.h"

namespace bertha::cli {

void AddServer(CLI::App& app, Server& server) {
  const auto flags = std::make_shared<ServerFlags>();
  app.add_option("--address", flags->address, "Where berthad listens")
      ->envname("BERTHA_ADDRESS")
      ->capture_default_str()
      ->type_name("HOST:PORT");
  app.add_flag("--tls", flags->tls, "Encrypt; the server's certificate must be trusted by this system");
  app.add_option("--ca", flags->ca_file, "Trust the authorities of this file instead (PEM); implies --tls")
      ->envname("BERTHA_CA")
      ->type_name("FILE");
  app.add_option("--cert", flags->certificate_file, "Certificate to show to the server (PEM); needs --key")
      ->type_name("FILE");
  app.add_option("--key", flags->key_file, "Its private key")->type_name("FILE");
  app.add_option("--token", flags->token, "Bearer token; others on this machine can see it in a command line")
      ->envname("BERTHA_TOKEN")
      ->type_name("TOKEN");
  app.add_option("--token-file", flags->token_file, "File that holds the token")->type_name("FILE");
  app.add_flag("--insecure-token", flags->insecure_token, "Send it without TLS over a network too");
  app.parse_complete_callback([flags, &server] {
    absl::StatusOr<Server> resolved = Resolve(*flags);
    if (!resolved.ok()) {
      throw CLI::ValidationError(std::string(resolved.status().message()));
    }
    server = *std::move(resolved);
  });
}

void AddTimeout(CLI::App& app, double& seconds, const std::string& what) {
  app.add_option("--timeout", seconds, what)
      ->check(InRange(0.001, 86400.0))
      ->capture_default_str()
      ->type_name("SECONDS");
}

void AddStride(CLI::App& app, RunOptions& run, const std::string& preset) {
  app.add_option("--stride", run.stride, "Tokens that neighbouring windows share")
      ->check(InRange<int64_t>(0, 1000000))
      ->default_str(preset)
      ->type_name("N");
}

void AddLongTexts(CLI::App& app, RunOptions& run) {
  AddChoice<LongTexts>(app, "--truncation,--long-texts", run.long_texts,
                       {{"right", LongTexts::kRight},
                        {"left", LongTexts::kLeft},
                        {"error", LongTexts::kError},
                        {"window", LongTexts::kWindow}},
                       "Where to cut a text longer than the model takes; error: fail instead; window: compute it in "
                       "overlapping windows and put their results together",
                       "right|left|error|window", "right");
  AddStride(app, run, "a quarter of what the model takes");
}

void CheckLongTexts(const RunOptions& run) {
  if (run.stride && run.long_texts != LongTexts::kWindow) {
    throw CLI::ValidationError("--stride", "goes with --truncation window only");
  }
}

void AddCalls(CLI::App& app, RunOptions& run) {
  app.add_option("--batch", run.batch, "Texts in one call")
      ->check(InRange(1, 4096))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--in-flight", run.in_flight, "Calls at once")
      ->check(InRange(1, 256))
      ->capture_default_str()
      ->type_name("N");
  AddChoice<Priority>(app, "--priority", run.priority,
                      {{"high", Priority::kHigh}, {"normal", Priority::kNormal}, {"batch", Priority::kBatch}},
                      "Who goes first when the server has more to do than it can; batch: takes what others leave",
                      "high|normal|batch", "normal");
  AddTimeout(app, run.timeout_seconds, "Time for one call, retries included");
}

void CheckTexts(const std::vector<std::string>& texts, const std::optional<std::string>& pair) {
  const bool dash = std::find(texts.begin(), texts.end(), "-") != texts.end();
  if (dash && texts.size() > 1) throw CLI::ValidationError("TEXT", "- (standard input) cannot be mixed with texts");
  if (pair && FindInvalidUtf8(*pair)) throw CLI::ValidationError("--pair", "is not UTF-8");
}

}  // namespace bertha::cli
