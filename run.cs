#!/usr/bin/env dotnet
#:property PublishAot=false
// Without packages there is nothing to lock; the lock file would lie in the root.
#:property RestorePackagesWithLockFile=false

using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
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
    public const string ScaleVariable = "TASKSERVICE_TEST_SCALE";

    // Not [CallerFilePath]: a build with ContinuousIntegrationBuild writes "/_/" there instead of the root.
    public static readonly string Root = (string)AppContext.GetData("EntryPointFileDirectoryPath")!;
    public static readonly string CoverageFolder = Path.Combine(Root, "artifacts", "coverage");
    public static readonly string BenchFolder = Path.Combine(Root, "artifacts", "bench");

    public static readonly string OtherTree = Path.Combine(BenchFolder, "source");

    public static string BenchOutput(string name) => Path.Combine(BenchFolder, name.Replace('/', '-'));
}

internal static class Verbs
{
    private static readonly Rates Least = new();
    private static readonly string Usage = $"""
        Usage: dotnet run.cs -- VERB [options]

          run [args]                  start {Repository.Service}; every argument is passed on to it
          test [-v] [--suite SUITE]   run the tests; -v names each one; SUITE is unit, integration or all (the default)
          typecheck                   build the solution; warnings are errors
          lint                        fail if a file is not formatted
          format                      format every file
          cover [--line {Least.Line}] [--branch {Least.Branch}]
                                      run the tests, report coverage, fail if a total is under its rate, in percent
          bench [--work get,put,post,list] [--compare REV] [--shots N] [--seconds N] [--warm N]
                [--connections N] [--tasks N]
                                      build for release and measure under load; --compare: beside another revision
          outlets [--shots N] [--seconds N] [--warm N]
                                      measure requests while the receivers of outlets fail
          telemetry [--shots N] [--seconds N] [--warm N]
                                      measure what telemetry costs a request
          micro [--filter '*Line*']   time the line, the readers and the mappings alone
          profile [--work get] [--seconds N]
                                      sample the stacks under load; prints the ten hottest methods
          check [--long]              typecheck, lint, tests and coverage, as CI does; --long: long tests at full length
          help                        show this text

        Exit codes: that of the command a verb runs; 1 if tests or coverage fall short; 2 for a wrong verb or option.
        """;

    private static readonly Dictionary<string, (string[] Flags, string[] Valued, Func<Given, int> Run)> Known = new()
    {
        ["test"] = (["-v"], ["--suite"], Test),
        ["typecheck"] = ([], [], _ => TypeCheck()),
        ["lint"] = ([], [], _ => Lint()),
        ["format"] = ([], [], _ => Commands.Dotnet("format", Repository.Solution)),
        ["cover"] = ([], ["--line", "--branch"], Cover),
        ["bench"] = ([], ["--work", "--compare", "--shots", "--seconds", "--warm", "--connections", "--tasks"], Bench),
        ["outlets"] = ([], ["--shots", "--seconds", "--warm"], options => MeasureHere("outlets", options)),
        ["telemetry"] = ([], ["--shots", "--seconds", "--warm"], options => MeasureHere("telemetry", options)),
        ["micro"] = ([], ["--filter"], options => Measure("micro", options)),
        ["profile"] = ([], ["--work", "--seconds", "--warm", "--connections", "--tasks"], Profile),
        ["check"] = (["--long"], [], Check),
        ["help"] = ([], [], _ => Help()),
        ["--help"] = ([], [], _ => Help()),
    };

    public static int Run(string[] args)
    {
        var verb = args.FirstOrDefault("help");
        string[] rest = [.. args.Skip(1)];
        if (verb == "run")
        {
            return Commands.RunService(rest);
        }
        if (!Known.TryGetValue(verb, out var known))
        {
            _ = Help();
            throw new UsageException($"unknown verb '{verb}'");
        }
        return known.Run(Options.Parse(verb, rest, known.Flags, known.Valued));
    }

    private static int Help()
    {
        Console.WriteLine(Usage);
        return 0;
    }

    private static int Test(Given options)
    {
        string[] filter = options.GetValueOrDefault("--suite", "all") switch
        {
            "unit" => ["--filter", "Suite!=integration"],
            "integration" => ["--filter", "Suite=integration"],
            "all" => [],
            var suite => throw new UsageException($"unknown suite '{suite}': it is unit, integration or all"),
        };
        return TestRun.Start(options.ContainsKey("-v") ? "normal" : "minimal", filter);
    }

    // Unlike TreatWarningsAsErrors the switch covers MSBuild's own warnings; exceptions in props files do not bind it.
    private static int TypeCheck() => Commands.Dotnet("build", Repository.Solution, "--nologo", "-v", "quiet",
        "-warnaserror", "-warnnotaserror:NU1901;NU1902;NU1903;NU1904");

    private static int Lint() => Commands.Dotnet("format", Repository.Solution, "--verify-no-changes");

    private static int Cover(Given options)
    {
        var least = new Rates(options.Percent("--line", Least.Line), options.Percent("--branch", Least.Branch));
        var tested = TestRun.StartWithCoverage();
        var rendered = Coverage.Files.Count > 0 ? Coverage.RenderHtml() : 0;
        return FirstFailure(tested, Coverage.Report(least), rendered);
    }

    private static int Bench(Given options)
    {
        if (!options.Remove("--compare", out var revision))
        {
            return MeasureHere("load", options);
        }
        // One that was interrupted has left its tree.
        RemoveOtherTree();
        var built = Commands.Run("git", "worktree", "add", "--force", "--detach", Repository.OtherTree, revision);
        built = built > 0 ? built : BuildService(revision, Repository.OtherTree);
        RemoveOtherTree();
        built = built > 0 ? built : BuildService("here", Repository.Root);
        return built > 0 ? built : Measure("load", options, "here", revision);
    }

    private static void RemoveOtherTree()
    {
        if (Directory.Exists(Repository.OtherTree))
        {
            Commands.Run("git", "worktree", "remove", "-f", Repository.OtherTree);
        }
    }

    private static int Profile(Given options) =>
        Commands.Dotnet("tool", "restore", "-v", "quiet") is > 0 and var unrestored
            ? unrestored
            : MeasureHere("profile", options);

    private static int MeasureHere(string verb, Given options) =>
        BuildService("here", Repository.Root) is > 0 and var unbuilt ? unbuilt : Measure(verb, options, "here");

    private static int BuildService(string name, string root) => Commands.Dotnet(
        "build", Path.Combine(root, Repository.Service), "-c", "Release", "--nologo", "-v", "quiet",
        "-o", Repository.BenchOutput(name));

    private static int Measure(string verb, Given options, params string[] services) => Commands.Dotnet(["run", "-c",
        "Release", "--project", $"{Repository.Service}.Benchmarks", "--", verb,
        .. services.SelectMany(name => new[] { "--service", Repository.BenchOutput(name) }),
        .. options.SelectMany(option => new[] { option.Key, option.Value })]);

    private static int Check(Given options)
    {
        // What the caller has in the environment must not change what a check means.
        Environment.SetEnvironmentVariable(Repository.ScaleVariable, options.ContainsKey("--long") ? "long" : null);
        var built = Verdict("compiles without warnings", TypeCheck());
        if (built != 0)
        {
            return built;
        }
        // The tests are worth running whatever the files look like.
        var linted = Verdict("formatted", Lint());
        var ran = TestRun.StartWithCoverage("--no-build");
        var (passed, failed, skipped, impossible) = TestRun.Count();
        // A crash leaves no result of its own, only the exit code.
        var isGood = ran == 0 && passed > 0 && failed == 0 && skipped == impossible;
        var tested = Verdict("every test that this machine lets run ran and passed", isGood ? 0 : 1);
        var covered = Verdict("covered", Coverage.Report(Least));
        Console.WriteLine($"{passed} passed, {failed} failed, {skipped} skipped");
        return FirstFailure(linted, tested, covered);
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

    public static int Run(string command, params string[] args) =>
        Wait(Process.Start(new ProcessStartInfo(command, args) { WorkingDirectory = Repository.Root })!);

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
        if (Directory.Exists(Repository.CoverageFolder))
        {
            Directory.Delete(Repository.CoverageFolder, recursive: true);
        }
        _ = Directory.CreateDirectory(Repository.CoverageFolder);
        var collector = $"XPlat Code Coverage;Include=[{Repository.Service}]*,[{Repository.Telemetry}]*"
            + ";ExcludeByFile=**/obj/**;ExcludeByAttribute=GeneratedCodeAttribute";
        return Start("minimal", ["--collect", collector, "--results-directory", Repository.CoverageFolder,
            "--logger", "trx;LogFilePrefix=tests", .. args]);
    }

    /// <summary>Impossible are those of the skipped that the machine does not let run.</summary>
    public static (int Passed, int Failed, int Skipped, int Impossible) Count()
    {
        // The counters of a trx file leave the skipped tests out; the results have them.
        var results = Directory.GetFiles(Repository.CoverageFolder, "*.trx")
            .SelectMany(file => XDocument.Load(file).Descendants())
            .Where(element => element.Name.LocalName == "UnitTestResult").ToList();
        var passed = results.Count(result => (string?)result.Attribute("outcome") == "Passed");
        var skipped = results.Where(result => (string?)result.Attribute("outcome") == "NotExecuted").ToList();
        foreach (var result in skipped)
        {
            Console.WriteLine($"skipped: {(string?)result.Attribute("testName")}: {result.Value.Trim()}");
        }
        var impossible = skipped.Count(result => result.Value.Contains("this machine does not let tests"));
        return (passed, results.Count - passed - skipped.Count, skipped.Count, impossible);
    }
}

/// <summary>Percentages, 0 to 100.</summary>
internal sealed record Rates(decimal Line = 95, decimal Branch = 90);

internal static class Coverage
{
    private sealed record Point(string File, int Line, string Method, bool Hit, int Taken, int Branches);

    // The trx logger keeps a second copy of each report, deeper down.
    public static IReadOnlyList<string> Files => [.. Directory.GetDirectories(Repository.CoverageFolder)
        .Select(folder => Path.Combine(folder, "coverage.cobertura.xml")).Where(File.Exists)];

    public static int RenderHtml()
    {
        var restored = Commands.Dotnet("tool", "restore", "-v", "quiet");
        return restored != 0 ? restored : Commands.Dotnet("reportgenerator", $"-reports:{string.Join(';', Files)}",
            $"-targetdir:{Path.Combine(Repository.CoverageFolder, "html")}", "-verbosity:Warning");
    }

    /// <summary>Prints the rates of every file and of all; returns 1 if a total is under its rate.</summary>
    public static int Report(Rates least)
    {
        // Every test assembly reports on every method; what one of them reaches is reached.
        var points = Files.SelectMany(Read).GroupBy(point => (point.File, point.Line, point.Method))
            .Select(same => same.MaxBy(point => (point.Taken, point.Hit))!).ToList();
        Console.WriteLine("  line %  branch %  file");
        foreach (var file in points.GroupBy(point => point.File).OrderBy(file => file.Key, StringComparer.Ordinal))
        {
            _ = Row(file.Key, [.. file]);
        }
        var total = Row("total", points);
        if (points.Count > 0 && total.Line >= least.Line && total.Branch >= least.Branch)
        {
            return 0;
        }
        Console.WriteLine(points.Count == 0 ? "coverage: nothing was measured" : "coverage: under the least rates: "
            + $"line {total.Line:F2} % (least {least.Line} %), branch {total.Branch:F2} % (least {least.Branch} %)");
        return 1;
    }

    private static Rates Row(string name, List<Point> points)
    {
        var lines = points.GroupBy(point => (point.File, point.Line)).ToList();
        var rates = new Rates(Percent(lines.Count(line => line.Any(point => point.Hit)), lines.Count),
            Percent(points.Sum(point => point.Taken), points.Sum(point => point.Branches)));
        Console.WriteLine($"{rates.Line,8:F2}  {rates.Branch,8:F2}  {name}");
        return rates;
    }

    // Rounded down: 94.999 is not 95.
    private static decimal Percent(int part, int all) => all == 0 ? 100 : Math.Floor(10_000m * part / all) / 100;

    private static int Count(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static IEnumerable<Point> Read(string report)
    {
        var root = XDocument.Load(report).Root!;
        var sources = root.Descendants("source").Select(source => source.Value).ToList();
        // The branches of a line are written as "50% (1/2)".
        return from type in root.Descendants("class")
               let name = (string)type.Attribute("filename")!
               let path = sources.Select(source => Path.Combine(source, name)).FirstOrDefault(File.Exists, name)
               let file = Path.GetRelativePath(Repository.Root, path).Replace('\\', '/')
               from method in type.Descendants("method")
               let id = $"{type.Attribute("name")} {method.Attribute("name")} {method.Attribute("signature")}"
               from line in method.Descendants("line")
               let branches = ((string?)line.Attribute("condition-coverage") ?? "(0/0)").Split('(', '/', ')')
               select new Point(file, (int)line.Attribute("number")!, id, (string?)line.Attribute("hits") != "0",
                   Count(branches[1]), Count(branches[2]));
    }
}
