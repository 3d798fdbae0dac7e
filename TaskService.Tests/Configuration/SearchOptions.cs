using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;

namespace TaskService.Tests.Configuration;

/// <summary>Options as a team writes them.</summary>
internal sealed class SearchOptions
{
    [Range(1, 100)]
    public int PageSizeMax { get; set; } = 10;

    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(1);

    public bool Enabled { get; set; }

    public SearchMode Mode { get; set; }

    public Uri? Server { get; set; }

    public IReadOnlyList<string> Hosts { get; set; } = [];

    public Dictionary<string, string> Labels { get; } = [];

    public RetryOptions Retry { get; set; } = new();

    public List<Shard> Shards { get; } = [];

    [ConfigurationKeyName("idx")]
    public string Index { get; set; } = "";

    public string ApiKey { get; set; } = "";

    public int? PinKey { get; set; }

    public string Title { get; set; } = "";

    internal enum SearchMode
    {
        ReadWrite,
        ReadOnly,
    }

    internal sealed class RetryOptions
    {
        [Range(1, 9)]
        public int AttemptsMax { get; set; } = 1;
    }

    internal sealed class Shard
    {
        [Required]
        public string? Name { get; set; }

        public double Weight { get; set; } = 1;
    }
}
