#include "bench/report/load_report.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "bench/report/figures.h"
#include "tests/catch.h"

namespace bertha::report {
namespace {

using nlohmann::json;

json Run(double rate, json p99, int calls = 100, int answered = 100) {
  return {{"rate", rate},
          {"offered_per_s", rate},
          {"calls", calls},
          {"codes", {{"OK", answered}}},
          {"latency_ms", {{"all", {{"p99", p99}}}}}};
}

/// `runs`: of one, json::array({it}); {it} is a copy of it to some compilers.
json Report(json runs, json objective = json()) {
  return {{"schema", "bertha.load/1"}, {"valid", true}, {"objective", objective}, {"runs", runs}};
}

const Figure* Find(const std::vector<Figure>& figures, const std::string& title) {
  for (const Figure& figure : figures) {
    if (figure.title == title) return &figure;
  }
  return nullptr;
}

/// A folder that is gone after the test.
class Folder {
 public:
  Folder() { std::filesystem::create_directories(path_); }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Write(const std::string& name, const std::string& contents) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << contents;
    return file.string();
  }
  std::string path() const { return path_.string(); }

 private:
  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("load_report_test." + std::to_string(::getpid()));
};

TEST_CASE("the fastest run within the objective speaks for a report") {
  const json objective = {{"quantile", 0.99}, {"latency_ms", 50}};
  CHECK(ShownRun(Report({Run(100, 5), Run(400, 80), Run(200, 20)}, objective)) == 2);
  CHECK(ShownRun(Report({Run(100, 60), Run(400, nullptr)}, objective)) == 0);
  CHECK(ShownRun(Report({Run(100, 5), Run(400, 80, 100, 99)})) == 0);
  CHECK(ShownRun(Report(json::array())) == 0);
}

TEST_CASE("figures have their ratios to the first report's") {
  const auto figures = CompareFigures({Report(json::array({Run(100, 10)})), Report(json::array({Run(200, 5)})),
                                       Report(json::array({Run(100, nullptr)}))});
  const Figure* p99 = Find(figures, "latency p99");
  REQUIRE(p99 != nullptr);
  CHECK(p99->ratios == std::vector<std::optional<double>>{1, 0.5, std::nullopt});
  CHECK(p99->better == -1);
  CHECK(Find(figures, "offered")->ratios[1] == 2.0);
  CHECK(Find(figures, "capacity") == nullptr);
  CHECK_FALSE(Find(figures, "not answered")->ratios[1].has_value());  // of nothing
}

TEST_CASE("figures of what is no report are none") {
  for (const json& odd : {json(), json(7), json::array(), json("x"), json{{"runs", 7}}, json{{"runs", {1, nullptr}}},
                          json{{"runs", {{{"latency_ms", 3}, {"codes", json::array()}, {"calls", "many"}}}}}}) {
    CHECK(CompareFigures(json::array({odd})).empty());
  }
}

TEST_CASE("nothing in a report can end its element") {
  json report = Report(json::array({Run(100, 5)}));
  report["server"] = {{"address", "</script><script>alert(1)</script><!--"}};
  report["command"] = {"\xff"};
  const std::string page = RenderHtml(report);
  const std::string bare = RenderHtml(json::array());
  const auto count = [](const std::string& text, const char* what) {
    return std::vector<std::string>(absl::StrSplit(text, what)).size();
  };
  CHECK(count(page, "</script") == count(bare, "</script"));
  CHECK(count(page, "<!--") == count(bare, "<!--"));
  CHECK(absl::StrContains(page, "\\u003c/script>"));
}

TEST_CASE("a page is one file: it names no other place") {
  const std::string page = RenderHtml(Report(json::array({Run(100, 5)})));
  for (const char* outside : {"src=\"http", "href=\"http", "@import", "url(", "fetch(", "import(", " from \""}) {
    CHECK_FALSE(absl::StrContains(page, outside));
  }
  CHECK(absl::StrContains(page, "default-src 'none'"));
}

TEST_CASE("reports are read from files and folders, and named so that they can be told apart") {
  const Folder folder;
  const std::string text = Report(json::array({Run(100, 5)})).dump();
  folder.Write("before/report.json", text);
  const std::string after = folder.Write("after.json", text), again = folder.Write("x/after.json", text);
  const auto read = ReadLoadReports({folder.path() + "/before", after, again});
  REQUIRE(read.ok());
  CHECK(read->names == std::vector<std::string>{"before", "after", "after 2"});
  CHECK(read->reports.size() == 3);
}

TEST_CASE("what is no report is refused by the name of its file") {
  const Folder folder;
  const std::string broken = folder.Write("broken.json", "{"), other = folder.Write("other.json", "{\"schema\": 3}");
  CHECK(absl::StrContains(ReadLoadReports({broken}).status().message(), "broken.json: not JSON"));
  CHECK(absl::StrContains(ReadLoadReports({other}).status().message(), "other.json: no report"));
  CHECK(absl::StrContains(ReadLoadReports({folder.path() + "/gone"}).status().message(), "cannot read"));
}

}  // namespace
}  // namespace bertha::report
