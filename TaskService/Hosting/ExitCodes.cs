using TaskService.Configuration;
using TaskService.Domain;

namespace TaskService.Hosting;

/// <summary>How the process ends. Documented in the README.</summary>
internal static class ExitCodes
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
        catch (ConfigException error)
        {
            await Console.Error.WriteLineAsync(
                string.Join(Environment.NewLine, error.Problems.Select(ConfigProblems.OneLine)));
            return Config;
        }
        catch (Exception error)
        {
            var expected = error is IOException or StorageException;
            var text = expected ? error.Message : $"unexpected {error.GetType().Name}: {error.Message}";
            return await FailAsync(text);
        }
    }

    /// <summary>Says on one line why the process fails.</summary>
    /// <returns>The code.</returns>
    public static async Task<int> FailAsync(string reason)
    {
        await Console.Error.WriteLineAsync($"taskservice: {ConfigProblems.OneLine(reason)}");
        return Failed;
    }
}
