// Everything that can be set, as values. settings.h names and explains them; command_line.h and config_file.h read
// them; config_validation.h checks them against each other; component_options.h makes each component's options of them.
#ifndef BERTHA_SERVER_CONFIG_H_
#define BERTHA_SERVER_CONFIG_H_

#include <cstdint>
#include <string>

namespace bertha::server {

/// Initialised with the defaults. Units and consequences stand in the table in settings.cc, which --help prints.
struct Config {
  std::string grpc_address = "0.0.0.0:8001";
  std::string http_address = "0.0.0.0:8000";
  int64_t http_io_threads = 1;
  std::string http_cors_origins;
  int64_t http_max_connections = 12'000;
  int64_t http_max_connections_per_client = 4096;
  int64_t http_max_requests_per_connection = 100'000;
  int64_t http_max_header_bytes = 16 << 10;
  int64_t http_header_timeout_ms = 10'000;
  int64_t http_idle_timeout_ms = 75'000;
  int64_t http_stream_idle_timeout_ms = 300'000;
  int64_t http_rate_window_ms = 10'000;
  int64_t http_min_bytes_per_second = 240;
  std::string admin_address = "127.0.0.1:8003";
  std::string probe_address = "0.0.0.0:8004";
  std::string admin_http_address = "127.0.0.1:8005";
  bool admin_tls = false;
  std::string tls_certificate;
  std::string tls_key;
  std::string tls_client_ca;
  std::string trusted_proxies;
  std::string trusted_proxy_header = "x-forwarded-for";
  std::string auth_tokens_file;
  std::string models_directory = "models";
  std::string models_default;
  int64_t models_poll_ms = 1000;
  int64_t models_max_memory_mb = 0;
  bool models_allow_empty = false;
  std::string models_weights;
  std::string engine = "auto";
  std::string device = "cpu";
  std::string dtype = "fp32";
  int64_t cpu_workers = 0;
  int64_t cpu_threads = 0;
  bool cpu_pin = false;
  int64_t batch_max_requests = 64;
  int64_t batch_max_tokens = 8192;
  int64_t queue_max_requests = 4096;
  int64_t queue_max_tokens = 1 << 20;
  int64_t queue_default_deadline_ms = 30'000;
  int64_t queue_max_delay_ms = 0;
  int64_t queue_max_priority_delay_ms = 2000;
  int64_t queue_overload_target_ms = 5000;
  int64_t queue_overload_window_ms = 1000;
  bool queue_admission = true;
  bool queue_share_identical = true;
  int64_t watchdog_stuck_after_ms = 60'000;
  int64_t health_max_age_ms = 30'000;
  int64_t health_max_faults = 3;
  int64_t health_canary_interval_ms = 10'000;
  std::string costs_directory = "auto";
  int64_t limits_max_inputs_per_call = 256;
  int64_t limits_max_text_bytes = 1 << 20;
  int64_t limits_max_windows_per_input = 64;
  int64_t limits_max_message_bytes = 8 << 20;
  int64_t limits_max_stream_in_flight = 256;
  std::string feedback_database;
  int64_t feedback_retention_days = 0;
  bool feedback_store_client_address = false;
  int64_t drain_lame_duck_ms = 5000;
  int64_t limits_requests_per_second = 0;
  int64_t limits_burst = 0;
  int64_t limits_max_connections = 16'384;
  int64_t limits_max_connections_per_client = 0;
  int64_t limits_max_concurrent_streams = 4096;
  int64_t limits_max_resets_per_second = 2000;
  int64_t limits_max_metadata_bytes = 16'384;
  int64_t limits_handshake_timeout_ms = 10'000;
  int64_t limits_max_connection_age_ms = 0;
  int64_t limits_connection_age_grace_ms = 30'000;
  int64_t limits_max_connection_idle_ms = 3'600'000;
  int64_t limits_min_ping_interval_ms = 10'000;
  int64_t drain_timeout_ms = 30'000;
  std::string log_format = "text";
  std::string log_requests = "errors";
  std::string log_level = "info";
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CONFIG_H_
