using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;
using TaskService.Configuration;
using TaskService.Domain;

namespace TaskService.Hosting;

/// <summary>How the process ends. Documented in the README.</summary>
internal static partial class ExitCodes
{
    public const int Fine = 0;

    /// <summary>Something that the configuration names cannot be opened, a hosted service failed, or the
    /// unexpected.</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>The configuration is wrong (<c>EX_CONFIG</c> of sysexits.h).</summary>
    public const int Config = 78;

    /// <summary>
    /// Turns what ends the process early into one clear line (of a configuration, one a problem) and a code.
    /// </summary>
    public static async Task<int> GuardAsync(Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (Exception error) when (ConfigProblemsOf(error) is { } problems)
        {
            await Console.Error.WriteLineAsync(
                string.Join(Environment.NewLine, problems.Select(ConfigProblems.OneLine)));
            return Config;
        }
        catch (Exception error)
        {
            var expected = error is IOException or StorageException;
            var text = expected ? error.Message : $"unexpected {error.GetType().Name}: {error.Message}";
            return await FailAsync(text);
        }
    }

    /// <summary>A line for each problem that is one of the configuration; null when something else failed.</summary>
    public static IEnumerable<string>? ConfigProblemsOf(Exception error) => error switch
    {
        ConfigException config => config.Problems,
        OptionsValidationException options =>
            [$"configuration: {options.OptionsType.Name}: {string.Join("; ", options.Failures)}"],
        // The message has the value, which may be a secret.
        InvalidOperationException { Source: "Microsoft.Extensions.Configuration.Binder" } => [Unconvertible(error)],
        AggregateException all when all.InnerExceptions.All(one => ConfigProblemsOf(one) is not null) =>
            all.InnerExceptions.SelectMany(one => ConfigProblemsOf(one)!),
        _ => null,
    };

    private static string Unconvertible(Exception error) =>
        PathAndType().Match(error.Message) is { Success: true } found
        ? $"configuration: {found.Groups[1].Value.Replace(':', '.')}: must be a {found.Groups[2].Value}"
        : "configuration: a section cannot be bound to its options";

    [GeneratedRegex(@" at '([^']*)' to type '([^']*)'\.?\z")]
    private static partial Regex PathAndType();

    /// <summary>Says on one line why the process fails.</summary>
    /// <returns>The code.</returns>
    public static async Task<int> FailAsync(string reason)
    {
        await Console.Error.WriteLineAsync($"taskservice: {ConfigProblems.OneLine(reason)}");
        return Failed;
    }
}
