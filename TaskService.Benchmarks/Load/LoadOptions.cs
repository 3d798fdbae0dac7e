using System.Globalization;

namespace TaskService.Benchmarks.Load;

/// <summary>What is measured.</summary>
internal sealed record LoadOptions
{
    public static readonly string[] AllWork = ["get", "put", "post", "list"];

    /// <summary>Of <see cref="AllWork"/>.</summary>
    public IReadOnlyList<string> Work { get; init; } = ["get", "put", "post", "list"];

    /// <summary>A revision to measure beside this tree, as git names it; null for none.</summary>
    public string? Compare { get; init; }

    /// <summary>Directories with a built service: of this tree, then of the revision it is compared with.</summary>
    public IReadOnlyList<string> Services { get; init; } = [];

    /// <summary>How many are stored before.</summary>
    public int Tasks { get; init; } = 1_000;

    public int Connections { get; init; } = 64;

    public int Shots { get; init; } = 10;

    public int Seconds { get; init; } = 2;

    public int WarmSeconds { get; init; } = 20;

    public static LoadOptions Parse(string[] args)
    {
        var options = new LoadOptions();
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : throw new ArgumentException($"{args[i]} needs a value");
            options = args[i] switch
            {
                "--work" => options with { Work = Works(value.Split(',')) },
                "--compare" => options with { Compare = value },
                "--tasks" => options with { Tasks = Number(args[i], value, 0, 10_000_000) },
                "--connections" => options with { Connections = Number(args[i], value, 1, 10_000) },
                "--shots" => options with { Shots = Number(args[i], value, 1, 1_000) },
                "--seconds" => options with { Seconds = Number(args[i], value, 1, 600) },
                "--warm" => options with { WarmSeconds = Number(args[i], value, 1, 600) },
                _ => throw new ArgumentException($"unknown option {args[i]}"),
            };
        }
        return options;
    }

    private static string[] Works(string[] given) =>
        given.Except(AllWork).ToList() is [var unknown, ..]
            ? throw new ArgumentException($"--work is one of {string.Join(", ", AllWork)}, not {unknown}")
            : given;

    private static int Number(string name, string text, int least, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= least && number <= most
            ? number
            : throw new ArgumentException($"{name} takes a number from {least} to {most}, not {text}");
}
