#!/usr/bin/env dotnet
#:property PublishAot=false
// Without packages there is nothing to lock; the lock file would lie in the root.
#:property RestorePackagesWithLockFile=false

using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Xml.Linq;
using Given = System.Collections.Generic.Dictionary<string, string>;

try
{
    return Verbs.Run(args);
}
catch (UsageException problem)
{
    Console.Error.WriteLine($"run.cs: {problem.Message}");
    return 2;
}

internal static class Repository
{
    public const string Solution = "TaskService.sln";
    public const string Service = "TaskService";
    public const string Telemetry = "TaskService.Telemetry";
    public const string Benchmarks = "TaskService.Benchmarks";
    public const string Acceptance = "TaskService.Acceptance";
    public const string ScaleVariable = "TASKSERVICE_TEST_SCALE";

    // Not [CallerFilePath]: a build with ContinuousIntegrationBuild writes "/_/" there instead of the root.
    public static readonly string Root = (string)AppContext.GetData("EntryPointFileDirectoryPath")!;
    public static readonly string CoverageFolder = Path.Combine(Root, "artifacts", "coverage");
}

internal static class Verbs
{
    private const string NoBenchmarks = "FullyQualifiedName!~Benchmark";
    private const string NoSoak = $"{NoBenchmarks}&Suite!=soak";
    private const string NoTemplate = $"{NoSoak}&Suite!=template";
    // Verbs of the benchmarks, which read their options themselves.
    private static readonly string[] Measuring = ["bench", "exporters", "telemetry", "micro", "profile"];
    private static readonly Rates Least = new();
    private static readonly string Usage = $"""
        Usage: dotnet run.cs -- VERB [options]

          run [args]                  start {Repository.Service}; every argument is passed on to it
          test [-v] [--suite SUITE] [--filter EXPRESSION]
                                      run the tests; -v names each one; SUITE is unit, integration or long
          typecheck                   build the solution; warnings are errors
          lint                        fail if a file is not formatted; typecheck finds the other rules of style
          format                      format every file
          cover [--line {Least.Line}] [--branch {Least.Branch}]
                                      run the tests, report coverage, fail if a total is under its rate, in percent
          accept --url URL [--key KEY]
                                      check the contract of docs/http.md against a running service, a line each
          bench [--work get,put,post,list] [--compare REV] [--shots N] [--seconds N] [--warm N]
                [--connections N] [--tasks N]
                                      build for release and measure under load; --compare: beside another revision
          exporters, telemetry [--shots N] [--seconds N] [--warm N]
                                      measure requests while the receivers of exporters fail; what telemetry costs one
          micro [--filter '*Line*']   time the line, the readers and the mappings alone
          profile [--work get] [--seconds N]
                                      sample the stacks under load; prints the ten hottest methods
          check [--long]              typecheck, lint, long tests too, coverage; --long: and a generated service, as CI
          stress [--filter EXPRESSION] run the tests with a busy loop on each core beside them
          soak [--filter EXPRESSION]  run the tests with the counts of a release: takes an hour or more
          genversion [TAG] HASH       write versions.json with this tag and commit, and the packages of the build
          help                        show this text

        Exit codes: that of the command a verb runs; 1 if tests or coverage fall short; 2 for a wrong verb or option.
        """;

    private static readonly Dictionary<string, (string[] Flags, string[] Valued, Func<Given, int> Run)> Known = new()
    {
        ["test"] = (["-v"], ["--suite", "--filter"], Test),
        ["typecheck"] = ([], [], _ => TypeCheck()),
        ["lint"] = ([], [], _ => Lint()),
        ["format"] = ([], [], _ => Commands.Dotnet("format", Repository.Solution)),
        ["cover"] = ([], ["--line", "--branch"], Cover),
        ["check"] = (["--long"], [], Check),
        ["stress"] = ([], ["--filter"], Stress),
        ["soak"] = ([], ["--filter"], Soak),
        ["help"] = ([], [], _ => Help()),
    };

    public static int Run(string[] args)
    {
        var verb = args.FirstOrDefault() is null or "-h" or "--help" ? "help" : args[0];
        string[] rest = [.. args.Skip(1)];
        return verb switch
        {
            "run" => Commands.RunService(rest),
            "genversion" => Commands.RunService(args),
            "accept" => Commands.Dotnet(["run", "--project", Repository.Acceptance, "--", .. rest]),
            _ when Measuring.Contains(verb) => Commands.Dotnet(
                ["run", "-c", "Release", "--project", Repository.Benchmarks, "--", verb, .. rest]),
            _ => Known.TryGetValue(verb, out var known)
                ? known.Run(Options.Parse(verb, rest, known.Flags, known.Valued))
                : throw new UsageException($"unknown verb '{verb}' (see help)"),
        };
    }

    private static int Help()
    {
        Console.WriteLine(Usage);
        return 0;
    }

    private static int Test(Given options)
    {
        var suite = options.GetValueOrDefault("--suite", "all") switch
        {
            "unit" => $"{NoTemplate}&Suite!=integration&Suite!=long",
            var name and ("integration" or "long") => $"Suite={name}",
            "all" => null,
            var name => throw new UsageException($"unknown suite '{name}': it is unit, integration, long or all"),
        };
        var filters = new[] { suite, options.GetValueOrDefault("--filter") }.OfType<string>().ToList();
        return TestRun.Start(options.ContainsKey("-v") ? "normal" : "minimal",
            filters.Count == 0 ? [] : ["--filter", filters.Count == 1 ? filters[0] : $"({filters[0]})&({filters[1]})"]);
    }

    // Unlike TreatWarningsAsErrors the switch covers MSBuild's own warnings; exceptions in props files do not bind it.
    private static int TypeCheck() => Commands.Dotnet("build", Repository.Solution, "--nologo", "-v", "quiet",
        "-warnaserror", "-warnnotaserror:NU1901;NU1902;NU1903;NU1904");

    // A build finds the rest: the other rules of style, and what analyzers say. A folder needs no project to be loaded.
    private static int Lint()
    {
        Console.WriteLine("lint: white space, ends of lines and files, order of usings");
        var spaces = Commands.Dotnet("format", "whitespace", ".", "--folder", "--verify-no-changes");
        Console.WriteLine("lint: this. that is not needed (IDE0003)");
        return FirstFailure(spaces, Commands.Dotnet(
            "format", "style", Repository.Solution, "--verify-no-changes", "--diagnostics", "IDE0003"));
    }

    private static int Cover(Given options)
    {
        var least = new Rates(options.Percent("--line", Least.Line), options.Percent("--branch", Least.Branch));
        return FirstFailure(TestRun.StartWithCoverage("--filter", NoTemplate), Coverage.Report(least));
    }

    private static int Check(Given options)
    {
        // The caller's environment must not change the meaning of a check.
        Environment.SetEnvironmentVariable(Repository.ScaleVariable, null);
        if (Verdict("compiles without warnings", TypeCheck()) is not 0 and var unbuilt)
        {
            return unbuilt;
        }
        var linted = Verdict("formatted", Lint());
        var filter = options.ContainsKey("--long") ? NoSoak : NoTemplate;
        var ran = TestRun.StartWithCoverage("--no-build", "--filter", filter);
        var results = TestResults.Read(Repository.CoverageFolder);
        var flaky = FlakyTests.RunAgain(results);
        var failed = results.Failed.Count - flaky;
        var impossible = results.PrintSkipped();
        // A crash leaves no result of its own, only the exit code.
        var ended = ran == 0 || (results.Failed.Count > 0 && !results.IsAborted);
        var isGood = ended && results.Passed.Count > 0 && failed == 0 && results.Skipped.Count == impossible;
        var tested = Verdict("every test that this machine lets run ran and passed", isGood ? 0 : 1);
        var covered = Verdict("covered", Coverage.Report(Least));
        Console.WriteLine($"{results.Passed.Count + flaky} passed, {failed} failed, {results.Skipped.Count} skipped");
        return FirstFailure(linted, tested, covered);
    }

    private static int Stress(Given options)
    {
        for (var core = 0; core < Environment.ProcessorCount; core++)
        {
            new Thread(Spin) { IsBackground = true }.Start();
        }
        return TestRun.Start("minimal", options.TryGetValue("--filter", out var filter) ? ["--filter", filter] : []);

        static void Spin()
        {
            while (true)
            {
                Thread.SpinWait(1_000_000);
            }
        }
    }

    private static int Soak(Given options)
    {
        Environment.SetEnvironmentVariable(Repository.ScaleVariable, "soak");
        return TestRun.Start("normal", "--filter", options.GetValueOrDefault("--filter", NoBenchmarks));
    }

    private static int Verdict(string name, int exitCode)
    {
        Console.WriteLine($"check: {name}: {(exitCode == 0 ? "yes" : $"no, exit code {exitCode}")}");
        return exitCode;
    }

    private static int FirstFailure(params int[] exitCodes) => exitCodes.FirstOrDefault(code => code != 0);
}

internal sealed class UsageException(string message) : Exception(message);

internal static class Options
{
    public static Given Parse(string verb, string[] args, string[] flags, string[] valued)
    {
        var given = new Given();
        for (var i = 0; i < args.Length; i++)
        {
            var name = args[i];
            given[name] = flags.Contains(name) ? ""
                : !valued.Contains(name) ? throw new UsageException($"unknown option '{name}' of {verb}")
                : ++i < args.Length ? args[i] : throw new UsageException($"{name} needs a value");
        }
        return given;
    }

    public static decimal Percent(this Given given, string name, decimal fallback) =>
        !given.TryGetValue(name, out var text) ? fallback
        : decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent)
            && percent <= 100 ? percent
        : throw new UsageException($"{name} takes a percentage from 0 to 100, not '{text}'");
}

internal static class Commands
{
    public static int Dotnet(params string[] args) => Wait(Start(Repository.Root, args));

    /// <summary>Keeps the caller's working directory, which relative paths in the arguments are relative to.</summary>
    public static int RunService(string[] args)
    {
        var project = Path.Combine(Repository.Root, Repository.Service);
        var service = Start(Environment.CurrentDirectory, ["run", "--project", project, "--", .. args]);
        // The service stops by itself, in order, and its exit code counts. A terminal sends its interrupt to every
        // process of the group; a termination reaches this process alone.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
            context.Cancel = !OperatingSystem.IsWindows() && Kill(service.Id, signal: 15) == 0);
        return Wait(service);
    }

    private static Process Start(string workingDirectory, string[] args) =>
        Process.Start(new ProcessStartInfo("dotnet", args) { WorkingDirectory = workingDirectory })!;

    private static int Wait(Process process)
    {
        process.WaitForExit();
        return process.ExitCode;
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}

internal static class TestRun
{
    // The terminal logger would swallow what the console logger has to say.
    public static int Start(string detail, params string[] args) => Commands.Dotnet(["test", Repository.Solution,
        "--nologo", "-v", "quiet", "-tl:off", "--logger", $"console;verbosity={detail}", .. args]);

    public static int StartWithCoverage(params string[] args)
    {
        Directory.CreateDirectory(Repository.CoverageFolder).Delete(recursive: true);
        _ = Directory.CreateDirectory(Repository.CoverageFolder);
        var collector = $"XPlat Code Coverage;Include=[{Repository.Service}]*,[{Repository.Telemetry}]*"
            + ";ExcludeByFile=**/obj/**;ExcludeByAttribute=GeneratedCodeAttribute";
        return Start("minimal", ["--collect", collector, "--results-directory", Repository.CoverageFolder,
            "--logger", "trx;LogFilePrefix=tests", .. args]);
    }
}

/// <param name="Name">With the arguments of a case of a theory.</param>
/// <param name="Output">What the test wrote, and why it failed or was skipped.</param>
internal sealed record TestResult(string Name, string Output)
{
    /// <summary>The name that a filter knows: all cases of a theory share it.</summary>
    public string Method => Name.Split('(')[0];
}

/// <summary>The results of a test run, from its trx files.</summary>
/// <param name="IsAborted">Whether the run ended early, as when a test process crashed.</param>
internal sealed record TestResults(
    IReadOnlyList<TestResult> Passed,
    IReadOnlyList<TestResult> Failed,
    IReadOnlyList<TestResult> Skipped,
    bool IsAborted)
{
    public static TestResults Read(string folder)
    {
        var elements = Directory.EnumerateFiles(folder, "*.trx")
            .SelectMany(file => XDocument.Load(file).Descendants())
            .ToLookup(element => element.Name.LocalName);
        // The counters of a trx file leave the skipped tests out; the results have them.
        var results = elements["UnitTestResult"]
            .ToLookup(result => (string?)result.Attribute("outcome"), result =>
                new TestResult((string)result.Attribute("testName")!, OutputOf(result)));
        return new(
            [.. results["Passed"]],
            [.. results.Where(outcome => outcome.Key is not ("Passed" or "NotExecuted")).SelectMany(each => each)],
            [.. results["NotExecuted"]],
            elements["RunInfo"].Any(info => (string?)info.Attribute("outcome") == "Error"
                && !info.Value.Trim().EndsWith("[FAIL]", StringComparison.Ordinal)));
    }

    /// <returns>How many of the skipped tests need something that the machine refuses.</returns>
    public int PrintSkipped()
    {
        foreach (var result in Skipped)
        {
            Console.WriteLine($"skipped: {result.Name}: {result.Output}");
        }
        return Skipped.Count(result => result.Output.Contains("this machine does not let tests"));
    }

    private static string OutputOf(XElement result) => string.Join('\n', result.Descendants()
        .Where(element => element.Name.LocalName is "StdOut" or "StdErr" or "Message" or "StackTrace")
        .Select(element => element.Value.Trim()));
}

/// <summary>
/// Tests that fail among all others and pass alone. One that does so now and then is a defect to mend, not a reason to
/// keep a change out; more than a few at once are a reason.
/// </summary>
internal static class FlakyTests
{
    private const int TestsMax = 3, RunsMax = 2;

    /// <returns>How many of the failed tests passed when they ran again.</returns>
    public static int RunAgain(TestResults results)
    {
        var methods = results.Failed.GroupBy(result => result.Method).ToList();
        if (methods.Count > TestsMax)
        {
            Console.WriteLine($"check: {methods.Count} tests failed, more than {TestsMax}: none is run again");
            return 0;
        }
        return methods.Where(method => PassesAlone(method.Key, [.. method])).Sum(method => method.Count());
    }

    private static bool PassesAlone(string method, IReadOnlyList<TestResult> failures)
    {
        for (var run = 1; run <= RunsMax; run++)
        {
            var folder = Path.Combine(Repository.CoverageFolder, "again", $"{method}-{run}");
            var exitCode = TestRun.Start("minimal", "--no-build", "--filter", $"FullyQualifiedName={method}",
                "--results-directory", folder, "--logger", "trx;LogFilePrefix=tests");
            var again = TestResults.Read(Directory.CreateDirectory(folder).FullName);
            if (exitCode == 0 && again.Passed.Count > 0)
            {
                Print(method, "failed", failures);
                Print(method, "passed alone", again.Passed);
                return true;
            }
        }
        return false;
    }

    private static void Print(string method, string outcome, IReadOnlyList<TestResult> results)
    {
        foreach (var result in results)
        {
            Console.WriteLine($"flaky: {method}: {result.Name} {outcome}\n{result.Output}".TrimEnd());
        }
    }
}

/// <summary>Percentages, 0 to 100.</summary>
internal sealed record Rates(decimal Line = 95, decimal Branch = 90);

internal static class Coverage
{
    /// <summary>Writes the rates of each file and a page to read; returns 1 if a total is under its rate.</summary>
    public static int Report(Rates least)
    {
        if (Commands.Dotnet("tool", "restore", "-v", "quiet") is > 0 and var unrestored)
        {
            return unrestored;
        }
        var reports = Path.Combine(Repository.CoverageFolder, "*", "coverage.cobertura.xml");
        var folder = Path.Combine(Repository.CoverageFolder, "html");
        if (Commands.Dotnet("reportgenerator", $"-reports:{reports}", $"-targetdir:{folder}",
            "-reporttypes:Html;TextSummary;JsonSummary", "-verbosity:Warning") is > 0 and var unreported)
        {
            return unreported;
        }
        Console.WriteLine(File.ReadAllText(Path.Combine(folder, "Summary.txt")));
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "Summary.json")));
        var total = json.RootElement.GetProperty("summary");
        var line = Percent(total.GetProperty("coveredlines"), total.GetProperty("coverablelines"));
        var branch = Percent(total.GetProperty("coveredbranches"), total.GetProperty("totalbranches"));
        Console.WriteLine($"coverage: line {line:F2} % (at least {least.Line} %), "
            + $"branch {branch:F2} % (at least {least.Branch} %)");
        return line >= least.Line && branch >= least.Branch ? 0 : 1;
    }

    // Rounded down: 94.999 is not 95.
    private static decimal Percent(JsonElement part, JsonElement all) =>
        all.GetDecimal() == 0 ? 0 : Math.Floor(10_000 * part.GetDecimal() / all.GetDecimal()) / 100;
}
