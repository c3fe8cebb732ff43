// The command line of `bertha load`.
#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bench/load/texts.h"
#include "clients/cli/load_command.h"
#include "clients/cli/option_parts.h"
#include "clients/cli/options.h"

namespace bertha::cli {
namespace {

constexpr char kHelp[] = R"(
An open loop (--rate) sends each call at the time that was planned before, whatever the server does, and a latency runs
from that time: how people meet a server who do not know of each other. A closed loop (--in-flight) sends the next call
when one is answered; it measures capacity, not latency under load. Calls that fail or are not answered stay in the
figures. A run whose figures may be those of this program or of a busy machine says INVALID, and why.

Examples:
  bertha load --rate 500                                    10 s at 500 calls/s, Poisson arrivals
  bertha load --rate 500 --slo p99=50ms --out report        and report.html, every call as CSV, a histogram
  bertha load --in-flight 8                                 closed loop
  bertha load --find-capacity --slo p99=50ms                the highest rate whose p99 is within 50 ms
  bertha load --sweep --slo p99=50ms --out curve            latency over load, up to 5 times the capacity
  bertha load --rate 200 -m small=9 -m large=1 --file reviews.csv --column text --deadline-ms 100
  bertha load --rate 500 --protocol oip --address triton:8001 -m my-model      any server of the protocol
  bertha load --rate 500 --protocol http --address mosec:8000 --http-path /inference      any server of HTTP
  bertha load --rate 500 --address dns:///bertha:8001 --load-balancing round_robin         all servers of a name
  bertha load --self-test                                   does this program see a server that stands still?

--arrivals: poisson; constant; bursts:N, N calls at once; or a file of lines SECONDS [<tab> DEADLINE_MS [<tab> TEXT]].
--synthetic: words of a text: fixed:N, uniform:A,B or lognormal:MEDIAN,SIGMA.)";

constexpr char kLoadExitCodes[] = R"(

Exit codes:
  0  a valid run
  1  the run is INVALID, was stopped, or the server refused to say what is needed for it
  2  wrong usage, or an unreadable file
  3  cannot reach the server)";

constexpr double kADay = 86400;

/// A CLI11 validator that parses into `value`.
template <class Value, class Parse>
CLI::Validator Into(Value& value, Parse parse) {
  return CLI::Validator(
      [&value, parse](std::string& text) -> std::string {
        auto parsed = parse(text);
        if (!parsed.ok()) return std::string(parsed.status().message());
        value = *std::move(parsed);
        return "";
      },
      "");
}

void AddWhat(CLI::App& app, LoadOptions& o) {
  auto* what = app.add_option_group("What to measure", "one of these");
  what->add_option("--rate", o.rate, "Open loop: calls a second")->check(InRange(0.001, 1e6))->type_name("CALLS/S");
  what->add_option("--in-flight", o.in_flight, "Closed loop: calls that are always in flight")
      ->check(InRange(size_t{1}, size_t{100'000}))
      ->type_name("N");
  what->add_flag("--find-capacity", o.find_capacity, "The highest rate that keeps --slo");
  what->add_flag("--sweep", o.sweep, "The capacity, then latency at 0.1 to 5 times that rate");
  what->add_flag("--self-test", o.self_test, "This program against a server that stands still for a second");
}

void AddCalls(CLI::App& app, LoadOptions& o) {
  app.add_option("--seconds", o.seconds, "How long, without the warm-up; in a search: the longest runs")
      ->check(InRange(0.1, kADay))
      ->capture_default_str()
      ->type_name("S");
  app.add_option("--requests", o.requests, "Calls of a closed loop, instead of --seconds")
      ->check(InRange(size_t{1}, size_t{100'000'000}))
      ->type_name("N");
  app.add_option("--warm-up", o.warm_up, "Before, not counted; default: 2, in a search 1 for each run")
      ->check(InRange(0.0, kADay))
      ->type_name("S");
  app.add_option("--arrivals", o.arrivals_text, "When calls come, see below")
      ->check(Into(o.arrivals, load::ParseArrivals))
      ->capture_default_str()
      ->type_name("KIND");
  app.add_option("--seed", o.seed, "Of arrivals, texts and models")->capture_default_str()->type_name("N");
  app.add_option("--deadline-ms", o.deadline_ms, "Of each call, from when it was planned; 0: none")
      ->check(InRange(0.0, kADay * 1e3))
      ->capture_default_str()
      ->type_name("MS");
  app.add_option_function<std::string>(
         "--slo", [](const std::string&) {}, "Objective of a search and of goodput, as p99=50ms")
      ->check(Into(o.objective, load::ParseObjective))
      ->type_name("OBJECTIVE");
}

void AddTextSources(CLI::App& app, LoadOptions& o) {
  app.add_option("TEXT", o.texts, "Texts to send; default: made-up ones");
  app.add_option("--file", o.file, "Texts of a file: a CSV column, a member of JSON lines, or lines")
      ->check(CLI::ExistingFile.description(""))
      ->type_name("FILE");
  app.add_option("--column,--field", o.column, "Of a .csv file, or member of a .jsonl file; default: text")
      ->type_name("NAME");
  app.add_option("--synthetic", o.synthetic_text,
                 "Made-up texts of so many words, see below; default: lognormal:16,0.7")
      ->check(CLI::Validator(
          [](const std::string& text) { return std::string(load::ParseLengths(text).status().message()); }, ""))
      ->type_name("LENGTHS");
  app.add_option("-m,--model", o.model_texts, "Model; several get calls by their weights")
      ->check(CLI::Validator(
          [](const std::string& text) { return std::string(load::ParseModel(text).status().message()); }, ""))
      ->allow_extra_args(false)
      ->type_name("NAME[:VERSION][=WEIGHT]");
}

void AddWay(CLI::App& app, LoadOptions& o) {
  using Protocol = LoadOptions::Protocol;
  AddChoice<Protocol>(app, "--protocol", o.protocol,
                      {{"bertha", Protocol::kBertha}, {"oip", Protocol::kOip}, {"http", Protocol::kHttp}},
                      "bertha.v1, the Open Inference Protocol (both over gRPC), or any HTTP with JSON",
                      "bertha|oip|http", "bertha");
  app.add_option("--http-path", o.http_path, "Of http: where to POST; {model} is the model's name")
      ->capture_default_str()
      ->type_name("PATH");
  app.add_option("--http-body", o.http_body, "Of http: {text} becomes the text as a JSON string, {model} the name")
      ->capture_default_str()
      ->type_name("JSON");
  app.add_flag("--stream", o.stream, "All calls of a channel on one stream");
  app.add_option("--channels", o.channels, "Connections, each with threads of its own")
      ->check(InRange(size_t{1}, size_t{64}))
      ->capture_default_str()
      ->type_name("N");
  AddChoice<Balancing>(
      app, "--load-balancing", o.balancing,
      {{"pick_first", Balancing::kPickFirst}, {"round_robin", Balancing::kRoundRobin}},
      "Where several servers have the name, as in --address dns:///bertha:8001: all calls of a channel "
      "to one, or in turn to all whose health says SERVING",
      "pick_first|round_robin", "pick_first");
}

void CheckTogether(const LoadOptions& o) {
  const bool recorded = o.arrivals.kind == load::Arrivals::Kind::kRecorded;
  const int what = o.rate.has_value() + o.in_flight.has_value() + o.find_capacity + o.sweep + o.self_test;
  if (recorded && what > 0) throw CLI::ValidationError("--arrivals", "a recorded schedule has its own rate and length");
  if (what + recorded != 1) {
    throw CLI::ValidationError(
        "one of --rate, --in-flight, --find-capacity, --sweep and --self-test says what to measure");
  }
  if (!o.texts.empty() + !o.file.empty() + !o.synthetic_text.empty() > 1) {
    throw CLI::ValidationError("TEXT, --file and --synthetic: one of them");
  }
  if (!o.column.empty() && o.file.empty()) throw CLI::ValidationError("--column, --field", "of which --file?");
  if (o.protocol == LoadOptions::Protocol::kHttp && o.stream) {
    throw CLI::ValidationError("--stream", "not with --protocol http");
  }
  if (o.protocol == LoadOptions::Protocol::kHttp && o.server.tls) {
    throw CLI::ValidationError("--tls", "not with --protocol http");
  }
  if (o.protocol == LoadOptions::Protocol::kHttp && o.balancing != Balancing::kPickFirst) {
    throw CLI::ValidationError("--load-balancing", "not with --protocol http");
  }
  if (o.requests && !o.in_flight) throw CLI::ValidationError("--requests", "only with --in-flight");
}

/// Without what must not stand in a report.
std::vector<std::string> WithoutSecrets(const std::vector<std::string>& arguments,
                                        const std::vector<std::string>& texts) {
  std::vector<std::string> command;
  bool hide = false;
  for (const std::string& argument : arguments) {
    const bool is_text = std::find(texts.begin(), texts.end(), argument) != texts.end();
    if (hide) {
      command.push_back("...");
    } else if (absl::StartsWith(argument, "--token=")) {
      command.push_back("--token=...");
    } else {
      command.push_back(is_text ? "TEXT" : argument);
    }
    hide = argument == "--token";
  }
  return command;
}

}  // namespace

void AddLoad(CLI::App& top, LoadOptions& options, const std::vector<std::string>& arguments) {
  CLI::App* app = top.add_subcommand("load", "Measure a server under load: latency, throughput, capacity");
  app->footer(absl::StrCat(kHelp, kLoadExitCodes));
  AddWhat(*app, options);
  AddCalls(*app, options);
  AddTextSources(*app, options);
  AddWay(*app, options);
  app->add_flag("--json", options.json, "The report as a JSON object");
  app->add_option("--out", options.out, "Write report.json, requests.csv, report.html and latency.hgrm there")
      ->type_name("DIR");
  app->add_flag("--quiet", options.quiet, "Only the result: no progress, no line for each run of a search");
  AddServer(*app, options.server);
  app->final_callback([&options, arguments] {
    CheckTogether(options);
    for (const std::string& text : options.model_texts) options.models.push_back(*load::ParseModel(text));
    options.command = WithoutSecrets(arguments, options.texts);
  });
}

}  // namespace bertha::cli
