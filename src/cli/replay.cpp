#include <memory>
#include <string>
#include <utility>

#include "command.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/engine.hpp"
#include "nfsteer/replay.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "replay_text.hpp"
#include "rules_file.hpp"

namespace nfsteer {
namespace {

struct Options {
  std::string file, against, capture;
  bool flows = false;
  bool json = false;
};

// The listing of flows, line by line.
class Listing {
 public:
  explicit Listing(bool is_wanted) : is_wanted_(is_wanted) {}

  // False where no more can be written.
  template <typename Line>
  bool add(Line line) {
    if (is_wanted_) ended_ = print_part(line());
    return !ended_;
  }
  // How the command ends, where writing has ended it.
  const std::optional<Exit>& ended() const { return ended_; }

 private:
  const bool is_wanted_;
  std::optional<Exit> ended_;
};

// Says what is wrong with the capture, after the result.
Exit finish(Exit printed, const CaptureFlows& flows) {
  if (!flows.error()) return printed;
  complain(flows.error()->message);
  return Exit::Failed;
}

Exit replay_one(const Options& options, const Config& config, CaptureFlows& flows) {
  Rehearsal rehearsal(config);
  Listing listing(options.flows);
  {
    ProgressLine progress;
    flows.on_progress([&](auto packets, auto share) { progress.show(packets, share); });
    rehearse(flows, rehearsal, [&](const FlowEvent& event, const Decision& decision) {
      return listing.add([&] {
        const NamedDecision made = named(rehearsal.snapshot(), decision);
        return options.json ? json_of(event, made) + '\n' : flow_line(event, made);
      });
    });
  }
  if (listing.ended()) return *listing.ended();
  const ReplayReport report = rehearsal.report();
  if (options.json) return print(options.flows ? "" : json_of(flows.counts(), report) + '\n');
  return print((options.flows ? "\n" : "") + capture_text(flows.counts()) + report_text(report));
}

Exit replay_two(const Options& options, const Config& before, const Config& after,
                CaptureFlows& flows) {
  Rehearsal old_one(before), new_one(after);
  Listing listing(options.flows);
  Comparison comparison;
  {
    ProgressLine progress;
    flows.on_progress([&](auto packets, auto share) { progress.show(packets, share); });
    comparison = compare(
        flows, old_one, new_one,
        [&](const FlowEvent& event, const NamedDecision& from, const NamedDecision& to) {
          return listing.add([&] {
            return options.json ? json_of(event, from, to) + '\n' : move_line(event, from, to);
          });
        });
  }
  if (listing.ended()) return *listing.ended();
  const CaptureCounts counts = flows.counts();
  const std::string text = options.json
                               ? (options.flows ? "" : json_of(comparison, &counts) + '\n')
                               : (options.flows ? "\n" : "") + capture_text(counts) +
                                     comparison_text(comparison, {options.file, options.against});
  const Exit printed = print(text);
  return printed == Exit::Ok && comparison.differs() ? Exit::Differs : printed;
}

Exit replay(const Options& options) {
  const auto config = load_or_complain(options.file);
  const auto other =
      options.against.empty() ? std::optional(Config()) : load_or_complain(options.against);
  if (!config || !other) return Exit::ConfigInvalid;
  auto flows = CaptureFlows::open(options.capture, config->engine.copy_bytes);
  if (!flows) {
    complain(flows.error().message);
    return Exit::Failed;
  }
  const Exit printed = options.against.empty() ? replay_one(options, *config, *flows)
                                               : replay_two(options, *config, *other, *flows);
  return finish(printed, *flows);
}

Exit check_and_replay(const Options& options) {
  const int readers = (options.file == "-") + (options.against == "-") + (options.capture == "-");
  if (readers <= 1) return replay(options);
  complain("standard input can be one of the files only");
  return Exit::Usage;
}

}  // namespace

Command replay_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("CAPTURE", options->capture,
                 "Capture (pcap or pcapng) of Ethernet, Linux cooked, raw IP or loopback frames,\n"
                 "taken on the clients' side; - is standard input")
      ->required()
      ->type_name("");
  app.add_option("-c,--config", options->file, "Rules file; - is standard input")
      ->required()
      ->type_name("FILE");
  app.add_option("--against", options->against,
                 "Another rules file: which flows it would move; exit code 10 where it differs")
      ->type_name("FILE");
  app.add_flag("--flows", options->flows, "List the flows too; with --against those that move");
  app.add_flag("--json", options->json,
               "For programs: one JSON object; with --flows one for each flow, a line each");
  app.footer(format(
      "Schedules, time-outs, affinity and caches go by the capture's clock. A TCP connection\n"
      "begins with its SYN; what else opens flows, and when they are over, is as in the\n"
      "kernel's conntrack. Of more than {} flows at a time the oldest are\n"
      "forgotten, so that no capture needs more than 400 MiB. Interfaces, marks and users\n"
      "are not in a capture: rules that ask for them match no flow.",
      kFlowsMax));
  return [options] { return check_and_replay(*options); };
}

}  // namespace nfsteer
