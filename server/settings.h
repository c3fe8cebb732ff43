// The table of everything that can be set. The command line, the configuration file and --help are made from it; a new
// setting is a field of Config and a line here.
//
// Thread-safety: immutable.
#ifndef BERTHA_SERVER_SETTINGS_H_
#define BERTHA_SERVER_SETTINGS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "server/config.h"

namespace bertha::server {

/// One setting: where it is kept, what it may be, and what to tell whoever sets it.
struct Setting {
  struct Number {
    int64_t Config::*field;
    int64_t min, max;
  };
  struct Text {
    std::string Config::*field;
    std::vector<std::string> choices;  // empty: anything
    /// What may show of the value; null: all.
    std::string (*shown)(const std::string&) = nullptr;
  };

  struct Switch {
    bool Config::*field;
  };

  /// As in the file, with a dot between group and name: `queue.max_requests`.
  const char* key;
  std::variant<Number, Text, Switch> value;
  /// Unit, consequence, and what the special values mean.
  const char* help;
  /// Another name on the command line; empty: none.
  const char* short_flag = "";

  /// `--queue-max-requests`.
  std::string Flag() const;
  bool is_number() const { return std::holds_alternative<Number>(value); }

  /// INVALID_ARGUMENT says what was expected; the caller knows where `text` came from.
  absl::Status Set(const std::string& text, Config& config) const;
  /// As Set reads it, but for what must not show.
  std::string Get(const Config& config) const;
};

/// All of them, those of a group together, in the order of --help.
const std::vector<Setting>& Settings();

}  // namespace bertha::server

#endif  // BERTHA_SERVER_SETTINGS_H_
