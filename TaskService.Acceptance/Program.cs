using TaskService.Acceptance.Contract;

namespace TaskService.Acceptance;

/// <summary>The verb <c>accept</c>: the contract of <c>docs/http.md</c> against a running service.</summary>
internal static class Program
{
    private const string Usage = "accept --url URL [--key KEY]";

    /// <returns>0 when all holds, 1 when something does not, 2 for a wrong command line.</returns>
    public static async Task<int> Main(string[] args)
    {
        if (Parse(args, out var problem) is not { } given)
        {
            await Console.Error.WriteLineAsync($"accept: {problem}\nUsage: {Usage}");
            return 2;
        }
        if (await HttpContract.FindObstacleAsync(given.Url, given.Key) is { } obstacle)
        {
            await Console.Error.WriteLineAsync($"accept: {obstacle}");
            return 1;
        }
        var verdicts = new List<Verdict>();
        await foreach (var finding in HttpContract.CheckAsync(given.Url, given.Key))
        {
            verdicts.Add(finding.Verdict);
            Console.WriteLine(finding.Verdict switch
            {
                Verdict.Holds => $"ok   {finding.Text}",
                Verdict.Fails => $"FAIL {finding.Text}: {finding.Why}",
                _ => $"skip {finding.Text}: {finding.Why}",
            });
            foreach (var line in finding.Exchange.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                Console.WriteLine($"     {line}");
            }
        }
        var failed = verdicts.Count(verdict => verdict == Verdict.Fails);
        Console.WriteLine($"{verdicts.Count(verdict => verdict == Verdict.Holds)} held, {failed} failed");
        return failed == 0 ? 0 : 1;
    }

    private static (Uri Url, string? Key)? Parse(string[] args, out string problem)
    {
        var given = new Dictionary<string, string>();
        for (var i = 0; i < args.Length; i += 2)
        {
            problem = args[i] is not ("--url" or "--key") ? $"unknown option '{args[i]}'"
                : i + 1 == args.Length ? $"{args[i]} needs a value" : "";
            if (problem.Length > 0)
            {
                return null;
            }
            given[args[i]] = args[i + 1];
        }
        var isUrl = Uri.TryCreate(given.GetValueOrDefault("--url"), UriKind.Absolute, out var url)
            && url.Scheme is "http" or "https";
        problem = isUrl ? "" : "--url takes the address of a running service, such as http://localhost:8080";
        return isUrl ? (url!, given.GetValueOrDefault("--key")) : null;
    }
}
