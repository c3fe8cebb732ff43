// Damage of every kind, seeded: to a JSON document, and to a whole package.
#ifndef BERTHA_TESTS_MODELS_MUTATIONS_H_
#define BERTHA_TESTS_MODELS_MUTATIONS_H_

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "models/checksums.h"
#include "tests/catch.h"
#include "tests/models/support.h"

namespace bertha::models {

using Random = std::mt19937;

inline nlohmann::json Nested(int depth) {
  nlohmann::json value = 1;
  for (int i = 0; i < depth; ++i) value = nlohmann::json::array({std::move(value)});
  return value;
}

inline nlohmann::json OtherType(Random& random) {
  using nlohmann::json;
  switch (random() % 10) {
    case 0:
      return nullptr;
    case 1:
      return random() % 2 == 0;
    case 2:
      return -static_cast<int64_t>(random());
    case 3:
      return UINT64_MAX - random() % 3;
    case 4:
      return 1e308;
    case 5:
      return "x\n";
    case 6:
      return json::array();
    case 7:
      return json::object();
    case 8:
      return Nested(100);
    default:
      return json(3, json(2, "y"));
  }
}

/// The place of a value anywhere in the document; sometimes of a whole list, object or the root.
inline nlohmann::json::json_pointer AnyPlace(const nlohmann::json& document, Random& random) {
  const nlohmann::json flat = document.flatten();
  auto it = flat.begin();
  std::advance(it, random() % flat.size());
  nlohmann::json::json_pointer pointer(it.key());
  while (!pointer.empty() && random() % 3 == 0) pointer.pop_back();
  return pointer;
}

inline void FlipBits(std::string& content, Random& random) {
  if (content.empty()) return;
  for (size_t flips = 1 + random() % 3; flips > 0; --flips) {
    content[random() % content.size()] ^= static_cast<char>(1 << random() % 8);
  }
}

inline void InsertPiece(std::string& content, Random& random) {
  if (content.empty()) return;
  const std::string piece = content.substr(random() % content.size(), random() % 20);
  content.insert(random() % content.size(), piece);
}

/// One value of another type, or not there at all.
inline std::string ChangeJson(nlohmann::json document, Random& random) {
  const nlohmann::json::json_pointer place = AnyPlace(document, random);
  if (!place.empty() && random() % 3 == 0) {
    nlohmann::json& parent = document[place.parent_pointer()];
    parent.is_object() ? static_cast<void>(parent.erase(place.back()))
                       : parent.erase(static_cast<size_t>(std::stoul(place.back())));
  } else {
    document[place] = OtherType(random);
  }
  return document.dump();
}

inline std::string MutateJson(const nlohmann::json& good, Random& random) {
  std::string text = good.dump();
  switch (random() % 4) {
    case 0:
      FlipBits(text, random);
      return text;
    case 1:
      return text.substr(0, random() % text.size());
    case 2:
      InsertPiece(text, random);
      return text;
    default:
      return ChangeJson(good, random);
  }
}

/// Damages the package in `dir` somehow and returns what was done. `content` are the files that it chooses from.
inline std::string DamagePackage(const std::string& dir, const std::vector<std::string>& content, Random& random) {
  namespace fs = std::filesystem;
  const std::string name = content[random() % content.size()], other = content[random() % content.size()];
  const std::string path = dir + "/" + name;
  std::string text = FileContent(path);
  const uint64_t kind = random() % 20;
  if (kind < 5) {
    FlipBits(text, random);
    WriteFile(path, text);
    return absl::StrCat("bits of ", name, " flipped");
  }
  if (kind < 7) {
    WriteFile(path, text.substr(0, random() % text.size()));
    return absl::StrCat(name, " cut");
  }
  if (kind < 9) {
    InsertPiece(text, random);
    WriteFile(path, text);
    return absl::StrCat("a piece of ", name, " twice");
  }
  if (kind < 15 && name.ends_with(".json")) {
    WriteFile(path, ChangeJson(nlohmann::json::parse(text), random));
    return absl::StrCat("a value of ", name, " changed");
  }
  switch (kind) {
    case 15:
      WriteFile(path, FileContent(dir + "/" + other));
      return absl::StrCat(name, " replaced by ", other);
    case 16:
      fs::remove(path);
      fs::create_symlink(random() % 2 ? name : "../" + name, path);  // a circle, or out of the package
      return absl::StrCat(name, " made a link");
    case 17:
      fs::remove(path);
      if (random() % 2) fs::create_directory(path);
      return absl::StrCat(name, " removed or made a folder");
    case 18:
      fs::create_directory_symlink(random() % 2 ? "." : "..", dir + "/link");
      return "a link to a folder above";
    case 19:
      fs::remove(path);
      REQUIRE(mkfifo(path.c_str(), 0600) == 0);
      return absl::StrCat(name, " made a pipe");
    default:
      WriteFile(path, std::string(random() % 200, static_cast<char>(random())));
      return absl::StrCat(name, " filled with one byte");
  }
}

/// A refusal is one line of bounded length that begins with the name of a file of the package.
inline void CheckRefusal(const absl::Status& status, std::set<std::string> names) {
  const std::string message(status.message());
  const size_t colon = message.find(": ");
  names.insert({kSumsFile, "link"});
  CAPTURE(status.ToString());
  REQUIRE(colon != std::string::npos);
  REQUIRE(names.contains(message.substr(0, colon)));
  REQUIRE(message.size() > colon + 2);
  REQUIRE(message.size() < 1000);
  REQUIRE(std::ranges::none_of(message, absl::ascii_iscntrl));
}

}  // namespace bertha::models

#endif  // BERTHA_TESTS_MODELS_MUTATIONS_H_
