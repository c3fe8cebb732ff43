#include "server/config_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/settings.h"

namespace bertha::server {
namespace {

size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({substitute, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

const char* NearestKey(const std::string& key) {
  return std::ranges::min_element(Settings(), {}, [&](const Setting& s) { return EditDistance(key, s.key); })->key;
}

/// Null: no setting has this key.
const Setting* Find(const std::string& key) {
  const auto found = std::ranges::find(Settings(), key, &Setting::key);
  return found == Settings().end() ? nullptr : &*found;
}

bool IsGroup(const std::string& key) {
  return std::ranges::any_of(Settings(), [&](const Setting& s) { return absl::StartsWith(s.key, key + "."); });
}

/// One document on its way into a Config.
class Reader {
 public:
  /// `name`: of the file.
  Reader(const std::string& name, Config& config) : name_(name), config_(config) {}

  /// `prefix`: the key of the mapping `node`; empty: the document's root.
  absl::Status ReadMapping(const YAML::Node& node, const std::string& prefix) {
    if (!node.IsMap()) return Refuse(node, prefix, "expected a mapping");
    for (const auto& item : node) {
      if (!item.first.IsScalar()) {
        return absl::InvalidArgumentError(absl::StrCat(Where(item.first), "a key is no text"));
      }
      const std::string key = absl::StrCat(prefix, prefix.empty() ? "" : ".", item.first.Scalar());
      if (absl::Status status = ReadItem(item.first, key, item.second); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadItem(const YAML::Node& at, const std::string& key, const YAML::Node& value) {
    if (const Setting* setting = Find(key)) return ReadValue(at, *setting, value);
    if (!IsGroup(key)) return Refuse(at, key, absl::StrCat("unknown key; did you mean ", NearestKey(key), "?"));
    return value.IsNull() ? absl::OkStatus() : ReadMapping(value, key);
  }

  absl::Status ReadValue(const YAML::Node& at, const Setting& setting, const YAML::Node& value) {
    if (!seen_.insert(setting.key).second) return Refuse(at, setting.key, "is there twice");
    if (!value.IsScalar()) return Refuse(at, setting.key, "expected a single value");
    const absl::Status status = setting.Set(value.Scalar(), config_);
    return status.ok() ? status : Refuse(value, setting.key, status.message());
  }

  std::string Where(const YAML::Node& at) const { return absl::StrCat(name_, ", line ", at.Mark().line + 1, ": "); }
  absl::Status Refuse(const YAML::Node& at, absl::string_view key, absl::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat(Where(at), key, ": ", why));
  }

  const std::string& name_;
  Config& config_;
  std::set<std::string> seen_;
};

}  // namespace

absl::Status ApplyYaml(const std::string& text, const std::string& name, Config& config) {
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return absl::OkStatus();
    return Reader(name, config).ReadMapping(root, "");
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ", line ", error.mark.line + 1, ": not valid YAML: ", error.msg));
  }
}

absl::Status ApplyFile(const std::string& path, Config& config) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  std::error_code error;  // a directory can be opened, and then reads like an empty file
  if (!file || std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the configuration file cannot be read"));
  }
  return ApplyYaml(text.str(), path, config);
}

std::string ToYaml(const Config& config) {
  YAML::Emitter out;
  std::string group;
  out << YAML::BeginMap;
  for (const Setting& setting : Settings()) {
    const std::string key = setting.key;
    const size_t dot = key.find('.');
    const std::string its_group = dot == std::string::npos ? "" : key.substr(0, dot);
    if (its_group != group) {
      if (!group.empty()) out << YAML::EndMap;
      group = its_group;
      if (!group.empty()) out << YAML::Key << group << YAML::Value << YAML::BeginMap;
    }
    out << YAML::Key << key.substr(dot + 1) << YAML::Value;  // dot + 1 is 0 where there is none
    if (setting.is_number()) {
      out << setting.Get(config);
    } else {
      out << YAML::DoubleQuoted << setting.Get(config) << YAML::Auto;
    }
  }
  if (!group.empty()) out << YAML::EndMap;
  out << YAML::EndMap;
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace bertha::server
