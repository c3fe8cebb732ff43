#include "server/config_validation.h"

#include <initializer_list>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "models/cuda_engine.h"
#include "server/client_address.h"
#include "server/feedback/database.h"
#include "server/http/http_router.h"
#include "server/tls_files.h"

namespace bertha::server {
namespace {

/// `status`, with the key that it is about.
absl::Status About(absl::string_view key, const absl::Status& status) {
  return status.ok() ? status : absl::InvalidArgumentError(absl::StrCat(key, ": ", status.message()));
}

absl::Status FirstBad(std::initializer_list<absl::Status> statuses) {
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const Config& config) {
  if (config.limits_max_inputs_per_call > config.queue_max_requests) {
    return absl::InvalidArgumentError(absl::StrCat(
        "limits.max_inputs_per_call (", config.limits_max_inputs_per_call, ") is larger than queue.max_requests (",
        config.queue_max_requests, "): the largest call could never be queued; lower the first or raise the second"));
  }
  if (config.batch_max_tokens > config.queue_max_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("batch.max_tokens (", config.batch_max_tokens,
                                                   ") is larger than queue.max_tokens (", config.queue_max_tokens,
                                                   "): a full batch could never gather; raise the second"));
  }
  if (config.limits_max_text_bytes > config.limits_max_message_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "limits.max_text_bytes (", config.limits_max_text_bytes, ") is larger than limits.max_message_bytes (",
        config.limits_max_message_bytes, "): such a text could never arrive; raise the second"));
  }
  return absl::OkStatus();
}

absl::Status CheckTexts(const Config& config) {
  return FirstBad({ParseWeights(config.models_weights).status(),
                   About("device", models::ParseDevice(config.device).status()),
                   About("feedback.database", feedback::CheckDatabase(config.feedback_database)),
                   About("http.cors_origins", CorsOrigins::Parse(config.http_cors_origins).status()),
                   About("trusted_proxies", TrustedProxies::Parse(config.trusted_proxies).status())});
}

bool IsAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  return colon != std::string::npos && colon != 0 && absl::SimpleAtoi(text.substr(colon + 1), &port) && port >= 0 &&
         port <= 65535;
}

absl::Status CheckAddress(absl::string_view key, const std::string& address, absl::string_view example) {
  if (IsAddress(address)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(key, ": \"", address, "\" is not host:port, e.g. ", example));
}

absl::Status CheckOptionalAddress(absl::string_view key, const std::string& address, absl::string_view example) {
  if (address.empty()) return absl::OkStatus();
  return CheckAddress(key, address, absl::StrCat(example, ", or empty for none"));
}

absl::Status CheckAddresses(const Config& config) {
  return FirstBad({CheckAddress("grpc.address", config.grpc_address, "0.0.0.0:8001"),
                   CheckOptionalAddress("http.address", config.http_address, "0.0.0.0:8000"),
                   CheckOptionalAddress("admin.address", config.admin_address, "127.0.0.1:8003"),
                   CheckOptionalAddress("admin.http_address", config.admin_http_address, "127.0.0.1:8005"),
                   CheckOptionalAddress("probe.address", config.probe_address, "0.0.0.0:8004")});
}

absl::Status CheckTls(const Config& config) {
  if (config.admin_tls && config.tls_certificate.empty()) {
    return absl::InvalidArgumentError(
        "admin.tls is set but tls.certificate is not: TLS needs tls.certificate and tls.key");
  }
  return ValidateTlsFiles({config.tls_certificate, config.tls_key, config.tls_client_ca});
}

}  // namespace

absl::Status Validate(const Config& config) {
  return FirstBad({CheckSizes(config), CheckTexts(config), CheckAddresses(config), CheckTls(config)});
}

absl::StatusOr<std::map<std::string, double>> ParseWeights(const std::string& text) {
  std::map<std::string, double> weights;
  for (const absl::string_view item : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(item, absl::MaxSplits('=', 1));
    double weight = 0;
    const bool good = absl::SimpleAtod(parts.second, &weight) && weight >= 1e-3 && weight <= 1e3;
    if (!good || parts.first.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("models.weights: \"", item, "\" is not NAME=WEIGHT with a weight from 0.001 to 1000"));
    }
    weights[std::string(absl::StripAsciiWhitespace(parts.first))] = weight;
  }
  return weights;
}

}  // namespace bertha::server
