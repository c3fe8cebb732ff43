#include "server/model_directory.h"

#include <string>
#include <vector>

#include "tests/catch.h"

namespace bertha::server {
namespace {

using Packages = std::vector<std::pair<ModelKey, std::string>>;  // key, fingerprint

ScanResult Scan(const Packages& packages) {
  ScanResult scan;
  scan.empty = packages.empty();
  for (const auto& [key, fingerprint] : packages) scan.packages.push_back({.key = key, .fingerprint = fingerprint});
  return scan;
}

/// What a scan asks for, in words: "+m:1" to load, "-m:1" to remove.
struct Fixture {
  std::vector<std::string> Observe(const ScanResult& scan, bool at_once = false) {
    const DirectoryChanges changes = directory.Observe(scan, [=](const ModelKey&) { return at_once; });
    std::vector<std::string> words;
    for (const FoundPackage& package : changes.load) words.push_back("+" + package.key.ToString());
    for (const ModelKey& key : changes.remove) words.push_back("-" + key.ToString());
    return words;
  }
  ModelDirectory directory;
};

using Words = std::vector<std::string>;

TEST_CASE("APackageIsLoadedOnceItHoldsStill") {
  Fixture f;
  CHECK(f.Observe(Scan({{{"m", 1}, "a"}})).empty());
  CHECK(f.Observe(Scan({{{"m", 1}, "ab"}})).empty());  // still growing
  CHECK(f.Observe(Scan({{{"m", 1}, "ab"}})) == Words{"+m:1"});
  CHECK(f.Observe(Scan({{{"m", 1}, "ab"}})).empty());  // nor is it tried again if it was refused
}

TEST_CASE("AtOnceMeansAfterOneScan") {
  Fixture f;
  CHECK(f.Observe(Scan({{{"m", 1}, "a"}, {{"n", 3}, "b"}}), true) == Words{"+m:1", "+n:3"});
  CHECK(f.Observe(Scan({{{"m", 1}, "c"}}), true) == Words{"+m:1", "-n:3"});
}

TEST_CASE("WithoutSumsItIsWaitedForAndWhatServesServesOn") {
  Fixture f;
  CHECK(f.Observe(Scan({{{"m", 1}, ""}}), true).empty());
  CHECK(f.Observe(Scan({{{"m", 1}, "a"}}), true) == Words{"+m:1"});
  CHECK(f.Observe(Scan({{{"m", 1}, ""}}), true).empty());
  CHECK(f.Observe(Scan({{{"m", 1}, ""}})).empty());
  CHECK(f.Observe(Scan({{{"m", 1}, "a"}})).empty());  // sealed again, unchanged
  CHECK(f.Observe(Scan({{{"m", 1}, "a"}})).empty());
  CHECK(f.Observe(Scan({{{"m", 1}, "b"}})).empty());
  CHECK(f.Observe(Scan({{{"m", 1}, "b"}})) == Words{"+m:1"});
}

TEST_CASE("AVersionIsRemovedWhenItIsMissingTwice") {
  Fixture f;
  const Packages both = {{{"m", 1}, "a"}, {{"m", 2}, "b"}}, one = {{{"m", 1}, "a"}};
  f.Observe(Scan(both), true);
  CHECK(f.Observe(Scan(one)).empty());
  CHECK(f.Observe(Scan(both)).empty());  // only moved away and back
  CHECK(f.Observe(Scan(one)).empty());
  CHECK(f.Observe(Scan(one)) == Words{"-m:2"});
  CHECK(f.Observe(Scan(one)).empty());
  CHECK(f.Observe(Scan(both)).empty());
  CHECK(f.Observe(Scan(both)) == Words{"+m:2"});  // it came back
}

TEST_CASE("APackageThatIsReplacedByDeletingAndCopyingIsNeverRemoved") {
  Fixture f;
  f.Observe(Scan({{{"m", 1}, "a"}}), true);
  CHECK(f.Observe(Scan({})).empty());
  CHECK(f.Observe(Scan({{{"m", 1}, ""}})).empty());
  CHECK(f.Observe(Scan({{{"m", 1}, "b"}})).empty());
  CHECK(f.Observe(Scan({{{"m", 1}, "b"}})) == Words{"+m:1"});
}

TEST_CASE("WhatCannotBeReadIsNotGone") {
  Fixture f;
  f.Observe(Scan({{{"m", 1}, "a"}, {{"n", 1}, "a"}}), true);
  ScanResult scan = Scan({});
  scan.unreadable = {"m"};
  CHECK(f.Observe(scan, true) == Words{"-n:1"});
  CHECK(f.Observe(scan, true).empty());
  CHECK(f.Observe(Scan({}), true) == Words{"-m:1"});
}

TEST_CASE("LoadsComeBeforeRemovals") {
  Fixture f;
  f.Observe(Scan({{{"m", 1}, "a"}}), true);
  f.Observe(Scan({{{"m", 2}, "b"}}));
  CHECK(f.Observe(Scan({{{"m", 2}, "b"}})) == Words{"+m:2", "-m:1"});
}

TEST_CASE("WhatIsForgottenIsLoadedAgain") {
  Fixture f;
  const ScanResult scan = Scan({{{"m", 1}, "a"}});
  f.Observe(scan, true);
  f.directory.Forget({"m", 1});
  f.directory.Forget({"x", 1});
  CHECK(f.Observe(scan) == Words{"+m:1"});
  CHECK(f.Observe(scan).empty());
}

}  // namespace
}  // namespace bertha::server
