using System.CommandLine;
using System.Globalization;
using TaskService.Configuration;
using TaskService.Operations;
using TaskService.Storage;

namespace TaskService.Hosting;

/// <summary>The options of the command line.</summary>
/// <param name="ConfigFile">Null when none was named.</param>
/// <param name="Port">Null when none was named.</param>
/// <param name="Debug">Log at debug, and put <c>trace</c> into error bodies.</param>
/// <param name="CheckConfig">Only say whether the configuration is right.</param>
/// <param name="PrintConfig">Only show each setting with its source.</param>
/// <param name="MigrateOnly">Only bring the schema of the storage up to date.</param>
/// <param name="Settings">Values over the configuration file and the environment, by their paths, such as
/// <c>service:port</c>; null for none.</param>
/// <param name="Environment">The name of the hosting environment, such as Development; null for Production.</param>
internal sealed record CommandLineOptions(
    string? ConfigFile = null,
    int? Port = null,
    bool Debug = false,
    bool CheckConfig = false,
    bool PrintConfig = false,
    bool MigrateOnly = false,
    IReadOnlyDictionary<string, string>? Settings = null,
    string? Environment = null);

/// <summary>Copies from one storage engine to another.</summary>
internal delegate Task<int> Copy(string from, string to, TextWriter output, IProgress<long>? progress);

/// <summary>
/// Reads the command line, and answers what needs no configuration: help, version and what is wrong with it.
/// </summary>
internal static class CommandLine
{
    /// <summary>
    /// Calls <paramref name="run"/>, or the function of the command that is given, unless the command line is wrong or
    /// asks for help or the version.
    /// </summary>
    /// <returns>The exit code.</returns>
    public static Task<int> RunAsync(
        string[] args,
        Func<CommandLineOptions, Task<int>> run,
        Copy copy,
        Func<StatsDbOptions, Task<int>> statsDb) =>
        ExitCodes.GuardAsync(() => InvokeAsync(
            args,
            run,
            settings =>
            [
                CopyCommand(copy), VersionsCommand(), StatsDbOptions.Command(settings, statsDb), GraphCommand(),
            ]));

    /// <summary>Writes the settings, where that is the option, and to standard error those that are ignored.</summary>
    /// <returns>The exit code.</returns>
    public static int Show(ConfigSection settings, IEnumerable<string> warnings, bool print)
    {
        foreach (var warning in warnings)
        {
            Console.Error.WriteLine(warning);
        }
        settings.Print(print ? Console.Out : TextWriter.Null);
        return ExitCodes.Fine;
    }

    private static Task<int> InvokeAsync(
        string[] args,
        Func<CommandLineOptions, Task<int>> run,
        Func<Dictionary<string, string>, IEnumerable<Command>> commands)
    {
        var (settings, others) = Split(args);
        // The usual start, which does not wait for the compilation of the parser: a ninth of all methods.
        return others is [] or ["--config" or "-c", [not '-', ..]]
            ? run(new CommandLineOptions(others.LastOrDefault(), Settings: settings))
            : ParseAsync(settings, others, run, commands);
    }

    private static async Task<int> ParseAsync(
        Dictionary<string, string> settings,
        List<string> others,
        Func<CommandLineOptions, Task<int>> run,
        Func<Dictionary<string, string>, IEnumerable<Command>> commands)
    {
        var config = ConfigOption();
        var port = PortOption();
        var debug = new Option<bool>("--debug", "-d")
        {
            Description = "Log at debug, and put \"trace\" into error bodies",
        };
        var check = new Option<bool>("--check-config")
        {
            Description = "Report every problem of the configuration and exit",
        };
        var print = new Option<bool>("--print-config") { Description = "Show every setting with its source and exit" };
        var migrate = new Option<bool>("--migrate-only")
        {
            Description = "Bring the schema of the storage up to date and exit",
        };
        var environment = new Option<string?>("--environment") { Hidden = true };
        var root = new RootCommand(
            "A todo list over HTTP. Any setting can be given as --section:key=value, such as --service:port=8081.")
        {
            // With the last three, WebApplicationFactory starts a program.
            config, port, debug, check, print, migrate, environment,
            new Option<string?>("--contentRoot") { Hidden = true },
            new Option<string?>("--applicationName") { Hidden = true },
        };
        foreach (var command in commands(settings))
        {
            root.Subcommands.Add(command);
        }
        root.Directives.Clear();
        root.SetAction((result, _) => run(new CommandLineOptions(
            result.GetValue(config),
            result.GetValue(port),
            result.GetValue(debug),
            result.GetValue(check),
            result.GetValue(print),
            result.GetValue(migrate),
            settings,
            result.GetValue(environment))));

        var parsed = root.Parse(others, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            // A validator and the parser may both complain about one value; the first one says it best.
            var error = parsed.Errors.FirstOrDefault(error => error.Message.StartsWith("--", StringComparison.Ordinal))
                ?? parsed.Errors[0];
            var message = ConfigProblems.OneLine(error.Message.TrimEnd('.'));
            await Console.Error.WriteLineAsync($"taskservice: {message} (see --help)");
            return ExitCodes.Usage;
        }
        return await parsed.InvokeAsync(new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            // Signals are the program's business.
            ProcessTerminationTimeout = null,
        });
    }

    /// <summary>
    /// Takes the settings out of the arguments, <c>--section:key=value</c> as the command line of
    /// Microsoft.Extensions.Configuration has it; of one that is given twice, the last value counts.
    /// </summary>
    private static (Dictionary<string, string> Settings, List<string> Others) Split(string[] args)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        var others = new List<string>();
        foreach (var arg in args)
        {
            var end = arg.IndexOf('=', StringComparison.Ordinal);
            if (end > 2 && arg.StartsWith("--", StringComparison.Ordinal) && arg.IndexOf(':', 2, end - 2) > 2)
            {
                settings[arg[2..end]] = arg[(end + 1)..];
            }
            else
            {
                others.Add(arg);
            }
        }
        if (settings.Count > 0)
        {
            // WebApplicationFactory gives each section as well, without a value.
            others.RemoveAll(arg => arg is ['-', '-', .. var path, '='] && IsSection(path));
            settings = settings.Where(setting => !IsSection(setting.Key)).ToDictionary();
        }
        return (settings, others);

        bool IsSection(string path) =>
            settings.Keys.Any(key => key.StartsWith($"{path}:", StringComparison.Ordinal));
    }

    /// <summary>The option of all that read a configuration.</summary>
    public static Option<string?> ConfigOption() => new("--config", "-c")
    {
        Description = "The configuration file [default: configs/todoList-local.yaml here, else beside the binary]",
        HelpName = "FILE",
    };

    private static Option<int?> PortOption()
    {
        var port = new Option<int?>("--port", "-p")
        {
            Description = "The port to listen on, 0 for a free one",
            HelpName = "PORT",
        };
        port.Validators.Add(result =>
        {
            var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
            if (!ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            {
                result.AddError($"--port must be a whole number from 0 to 65535, not \"{text}\"");
            }
        });
        return port;
    }

    private static Command CopyCommand(Copy copy)
    {
        const string place = "ENGINE:PLACE";
        var from = new Option<string>("--from")
        {
            Description = "Where the tasks are, such as fs:data/tasks",
            HelpName = place,
            Required = true,
        };
        var to = new Option<string>("--to")
        {
            Description = "Where they go, in the same form; it must hold none",
            HelpName = place,
            Required = true,
        };
        var command = new Command("copy", "Copy all tasks from one storage engine to another and exit.") { from, to };
        command.SetAction((result, _) => copy(
            result.GetRequiredValue(from), result.GetRequiredValue(to), Console.Out, ProgressOnTerminal()));
        return command;
    }

    private static Command VersionsCommand()
    {
        var words = new Argument<string[]>("[TAG] HASH")
        {
            Description = "The tag, if it has one, and the hash of the commit",
            Arity = new ArgumentArity(1, 2),
        };
        var command = new Command(
            "genversion", "Write versions.json, which is served when it is beside the binary, and exit.") { words };
        command.SetAction(result =>
        {
            var given = result.GetRequiredValue(words);
            BuildVersions.Write(Environment.CurrentDirectory, given.Length == 2 ? given[0] : null, given[^1]);
            return ExitCodes.Fine;
        });
        return command;
    }

    private static Command GraphCommand()
    {
        var command = new Command("schema-graph", "Write the tables of this service as a graph for dot, and exit.");
        command.SetAction(_ =>
        {
            Console.Out.Write(SchemaGraph.ToDot(Entities.All));
            return ExitCodes.Fine;
        });
        return command;
    }

    private static Progress<long>? ProgressOnTerminal() => Console.IsErrorRedirected
        ? null
        : new Progress<long>(count => Console.Error.Write($"\r{count} tasks\r"));
}
