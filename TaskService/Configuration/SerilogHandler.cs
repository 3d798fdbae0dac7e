using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using Serilog;
using Serilog.Configuration;
using Serilog.Debugging;
using Serilog.Events;
using Serilog.Extensions.Logging;
using Serilog.Settings.Configuration;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;
using ILogger = Microsoft.Extensions.Logging.ILogger;

namespace TaskService.Configuration;

/// <summary>
/// A handler of type <c>serilog</c>: any sink of Serilog, by the name of its method after <c>WriteTo.</c> and of its
/// arguments. Nothing of Serilog is loaded unless there is one. Serilog itself says nothing of most errors: names are
/// checked here, and what it writes to its SelfLog at the start is an error of the configuration.
/// </summary>
internal static class SerilogHandler
{
    private const int ReportMillisecondsMin = 1_000;

    private static readonly Lock Gate = new();
    private static string[] secrets = [];
    private static long reportedAt;
    private static int omitted;

    /// <summary>Reads <c>sink</c> and <c>args</c>.</summary>
    public static OpenProvider Read(ConfigSection handler)
    {
        var sink = handler.Text("sink", "");
        var args = handler.Section("args");
        var values = args.Hidden();
        var sinks = Sinks(Assemblies());
        var overloads = sinks.FindAll(method => method.Name.Equals(sink, StringComparison.OrdinalIgnoreCase));
        if (overloads.Count == 0)
        {
            var names = sinks.Select(method => method.Name).Distinct().Order(StringComparer.Ordinal);
            handler.Problem("sink", $"\"{sink}\" is not a sink{ConfigProblems.Allowed(sink, names)}");
        }
        else if (!HasUnknown(args, overloads) && Lacking(args, overloads) is { } problem)
        {
            handler.Problem("args", problem);
        }
        return (level, failures) => Open(handler, overloads, values, level, failures);
    }

    // All that are published with the service and have the word in their name, and this one. One has the way back, from
    // Serilog to providers, which is no sink.
    private static Assembly[] Assemblies() =>
    [
        .. ((string?)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") ?? "").Split(Path.PathSeparator)
            .Select(path => Path.GetFileNameWithoutExtension(path))
            .Where(name => name.Contains("serilog", StringComparison.OrdinalIgnoreCase)
                && name != "Serilog.Extensions.Logging")
            .Select(Assembly.Load),
        typeof(SerilogHandler).Assembly,
    ];

    private static List<MethodInfo> Sinks(Assembly[] assemblies) =>
    [
        .. assemblies.SelectMany(assembly => assembly.GetExportedTypes())
            .Where(type => type.IsDefined(typeof(ExtensionAttribute)))
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static))
            .Where(method => method.IsDefined(typeof(ExtensionAttribute))
                && method.GetParameters()[0].ParameterType == typeof(LoggerSinkConfiguration)),
    ];

    private static bool HasUnknown(ConfigSection args, List<MethodInfo> overloads)
    {
        var known = overloads.SelectMany(Parameters).Select(parameter => parameter.Name!).Distinct().ToList();
        var unknown = args.Keys.Where(key => !known.Exists(name => Names(key, name))).ToList();
        foreach (var key in unknown)
        {
            args.Problem(key, $"is no argument of {overloads[0].Name}{ConfigProblems.Allowed(key, known)}");
        }
        return unknown.Count > 0;
    }

    /// <summary>Why no overload takes these arguments; null when one does.</summary>
    private static string? Lacking(ConfigSection args, List<MethodInfo> overloads)
    {
        var missing = overloads
            .Where(method => args.Keys.All(key => Parameters(method).Any(parameter => Names(key, parameter.Name!))))
            .Select(method => Parameters(method)
                .Where(parameter => !parameter.IsOptional && !args.Keys.Any(key => Names(key, parameter.Name!)))
                .Select(parameter => parameter.Name)
                .ToList())
            .MinBy(names => names.Count);
        return missing switch
        {
            null => $"no form of {overloads[0].Name} has all these arguments together",
            [] => null,
            _ => $"{overloads[0].Name} must have {string.Join(", ", missing)}, too",
        };
    }

    private static IEnumerable<ParameterInfo> Parameters(MethodInfo sink) => sink.GetParameters().Skip(1);

    // In the environment, where there are no capitals, API_KEY and APIKEY both mean apiKey.
    private static bool Names(string key, string parameter) =>
        key.Replace("-", "", StringComparison.Ordinal).Equals(parameter, StringComparison.OrdinalIgnoreCase);

    private static SerilogLoggerProvider Open(
        ConfigSection handler, List<MethodInfo> overloads, IReadOnlyDictionary<string, string?> values, LogLevel level,
        ILogger failures)
    {
        const string sink = "Serilog:WriteTo:0";
        var pairs = values.ToDictionary(pair => $"{sink}:Args:{NameOf(pair.Key, overloads)}", pair => pair.Value);
        pairs.Add($"{sink}:Name", overloads[0].Name);
        var settings = new ConfigurationBuilder().AddInMemoryCollection(pairs).Build();
        // SelfLog is one for all of Serilog.
        lock (Gate)
        {
            secrets = [.. secrets, .. values.Where(IsSecret).Select(pair => pair.Value!)];
            var said = new ConcurrentQueue<string>();
            SelfLog.Enable(said.Enqueue);
            try
            {
                var logger = new LoggerConfiguration()
                    .MinimumLevel.Is(level == LogLevel.None ? LevelAlias.Off : LevelConvert.ToSerilogLevel(level))
                    .ReadFrom.Configuration(
                        settings,
                        new ConfigurationReaderOptions(Assemblies()) { FormatProvider = CultureInfo.InvariantCulture })
                    .CreateLogger();
                if (said.TryPeek(out var problem))
                {
                    logger.Dispose();
                    throw new InvalidOperationException(problem);
                }
                return new SerilogLoggerProvider(logger, dispose: true);
            }
            catch (Exception error)
            {
                throw handler.Failure("sink", $"{overloads[0].Name} cannot be opened: {Reason(error)}");
            }
            finally
            {
                SelfLog.Enable(text => Report(failures, text));
            }
        }
    }

    private static string NameOf(string path, List<MethodInfo> overloads)
    {
        var (key, below) = path.Split(':', 2) is [var first, var rest] ? (first, $":{rest}") : (path, "");
        return overloads.SelectMany(Parameters).First(parameter => Names(key, parameter.Name!)).Name + below;
    }

    // Numbers and booleans are none, and would hide half of a message.
    private static bool IsSecret(KeyValuePair<string, string?> pair) =>
        pair is { Key: not "path", Value.Length: > 0 }
        && !bool.TryParse(pair.Value, out _)
        && !double.TryParse(pair.Value, CultureInfo.InvariantCulture, out _);

    private static string Reason(Exception error) => error is InvalidOperationException
        ? OneLine(error.Message)
        : OneLine($"{error.GetBaseException().GetType().Name}: {error.GetBaseException().Message}");

    /// <summary>
    /// What SelfLog says and the exception below it, without the time before, the stack after, and values of arguments.
    /// </summary>
    private static string OneLine(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .TakeWhile(line => !line.StartsWith("   ", StringComparison.Ordinal))
            .Select(line => line.Trim())
            .Take(2);
        var all = string.Join(": ", lines);
        if (all.Split(' ', 2) is [var time, var rest]
            && DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, out _))
        {
            all = rest;
        }
        return secrets.OrderByDescending(secret => secret.Length).Aggregate(
            all, (shown, secret) => shown.Replace(secret, "***", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Logs what a sink could not write, to our handlers alone, and once a second at most.</summary>
    private static void Report(ILogger failures, string text)
    {
        var (now, before) = (Environment.TickCount64, Interlocked.Read(ref reportedAt));
        if (now - before < ReportMillisecondsMin || Interlocked.CompareExchange(ref reportedAt, now, before) != before)
        {
            Interlocked.Increment(ref omitted);
            return;
        }
        var fields = new FieldList();
        fields.Append(Telemetry.Logging.LogEvent.Message, "SERILOG");
        fields.Append("reason", OneLine(text));
        fields.Append("omitted", Interlocked.Exchange(ref omitted, 0));
        LogFields.Write(failures, LogLevel.Warning, fields);
    }
}
