#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "server/command_line.h"
#include "server/config_file.h"
#include "server/settings.h"
#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

absl::StatusOr<ParsedCommandLine> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "berthad");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

TEST_CASE("FlagsSetTheirSetting") {
  auto parsed = Parse({"--models", "x", "--queue-max-requests", "500", "--log-format=json"});
  REQUIRE(parsed.ok());
  CHECK(parsed->config.models_directory == "x");
  CHECK(parsed->config.queue_max_requests == 500);
  CHECK(parsed->config.log_format == "json");
  CHECK_FALSE(parsed->print);
}

TEST_CASE("TheFeedbackDatabasesPasswordIsReadButDoesNotShow") {
  auto parsed = Parse({"--feedback-database", "postgresql://u:secret@h/db"});
  REQUIRE(parsed.ok());
  CHECK(parsed->config.feedback_database == "postgresql://u:secret@h/db");
  CHECK(ToYaml(parsed->config).find("secret") == std::string::npos);
  const absl::Status bad = Parse({"--feedback-database", "postgresql://u:secret@h/db?x=1"}).status();
  CHECK(Is(bad, absl::StatusCode::kInvalidArgument, "feedback.database: is no connection string"));
  CHECK(bad.message().find("secret") == absl::string_view::npos);
}

TEST_CASE("TheCommandLineWinsOverTheFile") {
  const std::string path = (std::filesystem::temp_directory_path() / "bertha_config_test.yaml").string();
  std::ofstream(path) << "queue:\n  max_requests: 300\n  max_tokens: 20000\n";
  auto parsed = Parse({"--config", path.c_str(), "--queue-max-requests", "500"});
  std::filesystem::remove(path);
  REQUIRE(parsed.ok());
  CHECK(parsed->config.queue_max_requests == 500);
  CHECK(parsed->config.queue_max_tokens == 20000);
}

TEST_CASE("ABadFileIsRefusedWithLineAndKey") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"queue:\n  max_request: 3\n",
       "f.yaml, line 2: queue.max_request: unknown key; did you mean queue.max_requests?"},
      {"queues: 3\n", "f.yaml, line 1: queues: unknown key"},
      {"queue:\n  max_requests: many\n", "f.yaml, line 2: queue.max_requests: \"many\" is not an integer from 1"},
      {"batch:\n  max_requests: 513\n", "batch.max_requests: \"513\" is not an integer from 1 to 512"},
      {"queue:\n  max_requests: -1\n", "queue.max_requests: \"-1\" is not an integer"},
      {"queue:\n  max_requests: 1\n  max_requests: 2\n", "queue.max_requests: is there twice"},
      {"queue:\n  max_requests: [1]\n", "queue.max_requests: expected a single value"},
      {"queue: 5\n", "queue: expected a mapping"},
      {"log: {format: xml}\n", "log.format: \"xml\" is none of text, json"},
      {"queue: {admission: maybe}\n", "queue.admission: \"maybe\" is none of false, true"},
      {"a: [1\n", "not valid YAML"},
      {"- 1\n", "expected a mapping"},
  };
  for (const auto& [text, message] : cases) {
    Config config;
    CAPTURE(text);
    CHECK(Is(ApplyYaml(text, "f.yaml", config), absl::StatusCode::kInvalidArgument, message));
  }
}

TEST_CASE("BadFlagsAreRefusedWithTheirName") {
  CHECK(Is(Parse({"--queue-max-requests", "0"}).status(), absl::StatusCode::kInvalidArgument, "--queue-max-requests"));
  CHECK(Is(Parse({"--nonsense"}).status(), absl::StatusCode::kInvalidArgument, "--nonsense"));
  CHECK(Is(Parse({"--config", "/no/such/file"}).status(), absl::StatusCode::kInvalidArgument, "/no/such/file"));
  CHECK(Is(Parse({"--config", "/"}).status(), absl::StatusCode::kInvalidArgument, "/: the configuration file"));
  CHECK(Is(Parse({"--grpc-address", "8001"}).status(), absl::StatusCode::kInvalidArgument, "host:port"));
  CHECK(Is(Parse({"--grpc-address", "h:70000"}).status(), absl::StatusCode::kInvalidArgument, "host:port"));
  CHECK(Is(Parse({"--admin-address", "8003"}).status(), absl::StatusCode::kInvalidArgument, "admin.address"));
  CHECK(Parse({"--admin-address", ""}).ok());
  CHECK(Is(Parse({"--probe-address", "8004"}).status(), absl::StatusCode::kInvalidArgument, "probe.address"));
  CHECK(Parse({"--probe-address", ""}).ok());
  CHECK(Is(Parse({"--device", "gpu"}).status(), absl::StatusCode::kInvalidArgument, "device: \"gpu\": expected cpu"));
  CHECK(Parse({"--device", "cuda:0,1"}).ok());
  CHECK(Is(Parse({"--http-address", "8000"}).status(), absl::StatusCode::kInvalidArgument, "http.address"));
  CHECK(Parse({"--http-address", ""}).ok());
  CHECK(Is(Parse({"--http-cors-origins", "a.example"}).status(), absl::StatusCode::kInvalidArgument,
           "http.cors_origins: \"a.example\" is not an origin"));
  CHECK(Is(Parse({"--trusted-proxies", "10.0.0.0/33"}).status(), absl::StatusCode::kInvalidArgument,
           "trusted_proxies: \"10.0.0.0/33\" is not a network"));
}

TEST_CASE("SettingsThatContradictEachOtherAreRefused") {
  CHECK(Is(Parse({"--queue-max-requests", "10"}).status(), absl::StatusCode::kInvalidArgument,
           "limits.max_inputs_per_call"));
  CHECK(Is(Parse({"--queue-max-tokens", "10"}).status(), absl::StatusCode::kInvalidArgument, "batch.max_tokens"));
  CHECK(Is(Parse({"--tls-certificate", "c"}).status(), absl::StatusCode::kInvalidArgument, "tls.key"));
  CHECK(Is(Parse({"--tls-key", "k"}).status(), absl::StatusCode::kInvalidArgument, "tls.certificate"));
  CHECK(Is(Parse({"--tls-client-ca", "a"}).status(), absl::StatusCode::kInvalidArgument, "tls.client_ca"));
  CHECK(Parse({"--tls-certificate", "c", "--tls-key", "k", "--tls-client-ca", "a"}).ok());
  CHECK(Is(Parse({"--limits-max-message-bytes", "2048"}).status(), absl::StatusCode::kInvalidArgument,
           "limits.max_text_bytes"));
}

TEST_CASE("AnEmptyFileIsTheDefaultConfiguration") {
  Config config;
  CHECK(ApplyYaml("", "f", config).ok());
  CHECK(ApplyYaml("queue:\n", "f", config).ok());
  CHECK(config.queue_max_requests == Config().queue_max_requests);
}

TEST_CASE("ThePrintedConfigurationReadsBack") {
  Config config;
  config.models_default = "a \"quoted\" name";
  config.queue_max_tokens = 12345;
  config.device = "cuda:0,1";
  config.queue_admission = false;
  config.cpu_pin = true;
  Config read;
  REQUIRE(ApplyYaml(ToYaml(config), "printed", read).ok());
  CHECK(read.models_default == config.models_default);
  CHECK(read.queue_max_tokens == 12345);
  CHECK(read.device == config.device);
  CHECK_FALSE(read.queue_admission);
  CHECK(read.cpu_pin);
  CHECK(ToYaml(read) == ToYaml(config));
}

TEST_CASE("SettingsOfAGroupStandTogetherSoThatItIsPrintedOnce") {
  std::set<std::string> ended;
  std::string group;
  for (const Setting& setting : Settings()) {
    const std::string key = setting.key;
    const std::string its_group = absl::StrContains(key, '.') ? key.substr(0, key.find('.')) : "";
    if (its_group == group) continue;
    if (!group.empty()) ended.insert(group);
    group = its_group;
    CAPTURE(key);
    CHECK_FALSE(ended.contains(group));
  }
}

TEST_CASE("HelpVersionAndACheckedConfigurationAreTextToPrint") {
  const auto printed = [](std::vector<const char*> arguments) {
    auto parsed = Parse(std::move(arguments));
    REQUIRE(parsed.ok());
    return parsed->print.value_or("");
  };
  CHECK(absl::StrContains(printed({"--help"}), "--queue-default-deadline-ms"));
  CHECK(absl::StartsWith(printed({"--version"}), "berthad"));
  const std::string checked = printed({"--check-config", "--models", "x"});
  CHECK(absl::StartsWith(checked, "# The configuration is valid:"));
  CHECK(absl::StrContains(checked, "directory: \"x\""));
  CHECK_FALSE(Parse({"--check-config", "--queue-max-requests", "0"}).ok());
}

}  // namespace
}  // namespace bertha::server
